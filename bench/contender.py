"""A Flux that is measured, reached only by its `flux` command."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

SCRIPTS = Path(__file__).with_name("scripts")
PATIENCE = 600.0
"""Seconds after which whatever is measured counts as hung."""

Value = float | str
"""What was measured, or in words why nothing was."""


class Contender(NamedTuple):
    """One of those that are measured in turn. `effort` scales the counts, for a quick look."""

    flux: str
    ours: bool = True
    effort: float = 1.0

    def times(self, full: int, least: int = 1) -> str:
        """How often to do what is done `full` times when there is time."""
        return str(max(least, round(full * self.effort)))

    def run(self, *words: str) -> str:
        """What `flux WORDS` prints. OSError with its last words if it fails."""
        done = subprocess.run(
            [self.flux, *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=environment(self.flux),
            timeout=PATIENCE,
        )
        if done.returncode:
            said = " | ".join(done.stderr.strip().splitlines()[-3:])
            raise OSError(f"flux {words[0]} ended with {done.returncode}: {said or 'it said nothing'}")
        return done.stdout

    def wall(self, *words: str) -> float:
        """How many seconds `flux WORDS` takes."""
        begun = time.perf_counter()
        self.run(*words)
        return time.perf_counter() - begun

    def measure(self, size: int, script: str, *words: str, options: tuple[str, ...] = ()) -> dict[str, Value]:
        """What a script of ours finds, run by this Flux's own Python in a session of `size`."""
        path = str(SCRIPTS / f"{script}.py")
        out = self.run("start", "-s", str(size), *options, self.flux, "python", path, *words)
        found: dict[str, Value] = json.loads(out.splitlines()[-1])
        return found

    def version(self) -> str:
        """What it calls itself."""
        return " ".join(self.run("version").split("\n")[0].split()[-1:])


def environment(flux: str) -> dict[str, str]:
    """That of a user who has this Flux first in PATH and nothing else of ours."""
    around = {name: value for name, value in os.environ.items() if not name.startswith(("FLUX_", "PYTHON"))}
    mine = str(Path(sys.executable).parent)
    rest = [part for part in around.get("PATH", os.defpath).split(os.pathsep) if part != mine]
    around["PATH"] = os.pathsep.join([str(Path(flux).parent), *rest])
    return around
