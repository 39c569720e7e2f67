"""A session of one Flux, in which the commands of another are tried."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.contender import environment
from interop.normal import Said
from interop.scene import Scene

PATIENCE = 30.0
"""Seconds after which a case counts as hung."""
RPC = f"flux python {Path(__file__).with_name('scripts')}/rpc.py"
"""What `$RPC RANK TOPIC PAYLOAD` in a case stands for: asks a service, whatever commands make of its answer."""


@contextmanager
def session(flux: str, scene: Scene) -> Iterator[str]:
    """The address of a session that lasts as long as the `with`. OSError with its last words if it fails."""
    words = [flux, "start", "-s", str(scene.size), *scene.options, "sh", "-c", "echo $FLUX_URI; exec cat"]
    pipe = subprocess.PIPE
    with tempfile.TemporaryFile("w+") as said:
        with subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=said, text=True, env=environment(flux)) as started:
            assert started.stdin
            assert started.stdout
            uri = started.stdout.readline().strip()
            if uri:
                yield uri
            started.stdin.close()
        said.seek(0)
        if (started.returncode and not scene.hurt) or not uri:
            raise OSError(f"{flux} start ended with {started.returncode}: {said.read().strip()[-500:]}")


def try_case(case: str, flux: str, uri: str, patience: float = PATIENCE, other: str = "") -> Said:
    """Types a case in a shell where `flux` is this command, `$OTHER` another one, and the session is that one."""
    around = environment(flux) | {"FLUX_URI": uri, "RPC": RPC, "OTHER": other or flux}
    pipe = subprocess.PIPE
    words = ["sh", "-c", case]
    null = subprocess.DEVNULL
    with subprocess.Popen(words, stdin=null, stdout=pipe, stderr=pipe, env=around, start_new_session=True) as shell:
        try:
            out, err = shell.communicate(timeout=patience)
        except subprocess.TimeoutExpired:
            os.killpg(shell.pid, signal.SIGKILL)  # all that the case has started: a loop would go on for ever
            return Said(-1, f"hung for {patience:g} s", "")
    return Said(shell.returncode, out.decode(errors="replace"), err.decode(errors="replace"))
