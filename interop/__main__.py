"""./dev interop: tries today's Flux and ours together, where there is one of today's."""

import os
import shutil
import subprocess
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from bench.contender import environment
from interop import cases, dump_cases, kvs_cases, lost_cases, report, tree_cases
from interop.normal import Said
from interop.outcome import Outcome
from interop.scene import Scene
from interop.session import session, try_case

SCENES = (Scene((*cases.CASES, *kvs_cases.CASES, *tree_cases.CASES)), dump_cases.SCENE, lost_cases.SCENE)
OURS = str(Path(sys.executable).with_name("flux"))


def main() -> int:
    """Tries all cases; 1 if one fails, 0 also where there is nothing to try them with."""
    args = parse()
    theirs = args.flux or found()
    if theirs is None:
        say("skipped: there is no flux-core here (./dev interop --flux /path/to/flux names one)")
        return 0
    if not is_core(theirs):
        say(f"{theirs}: is not flux-core")
        return 2
    scenes = [scene for scene in (every.having(args.words) for every in SCENES) if scene.cases]
    try:
        outcomes = attempt(scenes, theirs)
    except OSError as error:
        say(str(error))
        return 1
    print("\n".join(report.report(outcomes, verbose=args.verbose)))
    return int(bool(report.failures(outcomes)))


def parse() -> Namespace:
    """The command line."""
    parser = ArgumentParser("interop", description=__doc__)
    parser.add_argument("--flux", metavar="PATH", help="the flux command of flux-core (else: one in PATH)")
    parser.add_argument("-v", "--verbose", action="store_true", help="also show where the two differ at home")
    parser.add_argument("words", metavar="WORD", nargs="*", help="only the cases that have one of these words")
    return parser.parse_args()


def found() -> str | None:
    """The first flux in PATH that is flux-core."""
    places = os.environ.get("PATH", os.defpath).split(os.pathsep)
    flux = (shutil.which("flux", path=place) for place in places if place)
    return next((path for path in flux if path and is_core(path)), None)


def is_core(flux: str) -> bool:
    """Whether it says that it is flux-core; ours has a line of its own."""
    try:
        said = subprocess.run([flux, "version"], capture_output=True, text=True, env=environment(flux)).stdout
    except OSError:
        return False
    return "libflux-core:" in said and "fluxrm:" not in said


def attempt(scenes: Sequence[Scene], theirs: str) -> list[Outcome]:
    """All cases four times, each time in sessions of their own."""
    pairs = ((theirs, theirs), (theirs, OURS), (OURS, theirs), (OURS, OURS))
    columns = [[said for scene in scenes for said in play(scene, *pair)] for pair in pairs]
    every = [case for scene in scenes for case in scene.cases]
    return [Outcome(case, *tried) for case, *tried in zip(every, *columns, strict=True)]


def play(scene: Scene, flux: str, broker: str) -> list[Said]:
    """What `flux` and a shell say to each case in a new session of `broker`."""
    say(f"{flux} in a session of {scene.size} of {broker}")
    with session(broker, scene) as uri:
        return [try_case(case, flux, uri, other=broker) for case in scene.cases]


def say(text: str) -> None:
    """Progress, apart from the table."""
    print(f"interop: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
