"""A session of one Flux, in which the commands of another are tried."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.contender import environment
from interop.normal import Said

PATIENCE = 30.0
"""Seconds after which a case counts as hung."""
RPC = f"flux python {Path(__file__).with_name('scripts')}/rpc.py"
"""What `$RPC RANK TOPIC PAYLOAD` in a case stands for: asks a service, whatever commands make of its answer."""


@contextmanager
def session(flux: str, size: int) -> Iterator[str]:
    """The address of a session that lasts as long as the `with`. OSError with its last words if it fails."""
    words = [flux, "start", "-s", str(size), "sh", "-c", "echo $FLUX_URI; exec cat"]
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
        if started.returncode or not uri:
            raise OSError(f"{flux} start ended with {started.returncode}: {said.read().strip()[-500:]}")


def try_case(case: str, flux: str, uri: str) -> Said:
    """Types a case in a shell where `flux` is this command and the session is that one."""
    around = environment(flux) | {"FLUX_URI": uri, "RPC": RPC}
    try:
        done = subprocess.run(
            ["sh", "-c", case], stdin=subprocess.DEVNULL, capture_output=True, env=around, timeout=PATIENCE
        )
    except subprocess.TimeoutExpired:
        return Said(-1, f"hung for {PATIENCE:g} s", "")
    return Said(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))
