"""A real session for tests, and the `flux` command as a user runs it."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

FLUX = str(Path(sys.executable).with_name("flux"))


class Done(NamedTuple):
    """What came of a command."""

    code: int
    out: str
    err: str


def flux(*words: str, env: Mapping[str, str] | None = None, stdin: str = "", cwd: Path | None = None) -> Done:
    """Runs `flux WORDS`, with `env` in its environment; outside of a session unless that names one."""
    around = {name: value for name, value in os.environ.items() if not name.startswith("FLUX_")}
    done = subprocess.run(
        [FLUX, *words], input=stdin, capture_output=True, text=True, env=around | dict(env or {}), cwd=cwd
    )
    return Done(done.returncode, done.stdout, done.stderr)


class Session:
    """A session that runs."""

    def __init__(self, uri: str) -> None:
        self.uri = uri

    def flux(self, *words: str, stdin: str = "", cwd: Path | None = None) -> Done:
        """Runs `flux WORDS` in the session."""
        return flux(*words, env={"FLUX_URI": self.uri}, stdin=stdin, cwd=cwd)

    def popen(self, *words: str) -> "subprocess.Popen[str]":
        """Starts `flux WORDS` in the session; its output can be read while it runs."""
        env = os.environ | {"FLUX_URI": self.uri}
        return subprocess.Popen([FLUX, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)


@contextmanager
def session(size: int, *options: str) -> Iterator[Session]:
    """A session of `size` brokers that lasts as long as the `with`, and must end well."""
    words = [FLUX, "start", "--size", str(size), *options, "sh", "-c", "echo $FLUX_URI; exec cat"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as started:
        assert started.stdin is not None
        assert started.stdout is not None
        try:
            yield Session(started.stdout.readline().strip())
        finally:
            started.stdin.close()
            code = started.wait()
        assert code == 0
