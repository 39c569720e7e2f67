"""Simulated sessions, and real ones that are killed, on many seeds: `./dev soak`. A seed that fails becomes a test."""

import sys
import traceback
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from itertools import count, islice
from time import monotonic

from tests.sim import jobs
from tests.soak import crash

CASES: dict[str, Callable[[int], object]] = {name: case.play for name, case in jobs.CASES.items()}
CASES["a_session_that_is_killed_comes_back_with_all_that_was_acknowledged"] = crash.play

Run = tuple[str, int]
AHEAD = 64
"""Runs that are handed out before their turn."""
OFTEN = 30.0
"""Seconds between two words about how far it is."""


def parser() -> ArgumentParser:
    """The options."""
    made = ArgumentParser(prog="./dev soak", description="Play all cases on many seeds; report those that fail.")
    made.add_argument("--seeds", type=int, default=200, metavar="N", help="seeds for each case (default: 200)")
    made.add_argument("--minutes", type=float, metavar="M", help="as many seeds as there are in M minutes instead")
    made.add_argument("--first", type=int, default=0, metavar="SEED", help="the seed to begin with (default: 0)")
    made.add_argument("cases", nargs="*", metavar="CASE", help=f"only these (known: {', '.join(CASES)})")
    return made


def main(argv: list[str]) -> int:
    """Plays until the seeds or the minutes are used up. 1 if anything failed."""
    args = parser().parse_args(argv)
    unknown = set(args.cases) - set(CASES)
    if unknown:
        parser().error(f"no such case: {', '.join(sorted(unknown))}")
    until = monotonic() + 60 * args.minutes if args.minutes else None
    failed, played, begun, said = [], 0, monotonic(), monotonic()
    with ProcessPoolExecutor() as pool:
        runs, waiting = _runs(args), dict[Future[str], Run]()
        while True:
            if until is None or monotonic() < until:
                waiting |= {pool.submit(play, *run): run for run in islice(runs, AHEAD - len(waiting))}
            if not waiting:
                break
            for done in wait(waiting, return_when=FIRST_COMPLETED).done:
                case, seed = waiting.pop(done)
                played += 1
                if done.result():
                    failed.append((case, seed))
                    print(f"FAILED {case}, seed {seed}\n{done.result()}", flush=True)
            if monotonic() > said + OFTEN:
                said = monotonic()
                print(f"{played} played, {len(failed)} failed, {said - begun:.0f} s", file=sys.stderr, flush=True)
    for case, seed in sorted(failed):
        print(f"again: ./dev soak --seeds 1 --first {seed} {case}")
    print(f"{played} sessions played, {len(failed)} failed")
    return 1 if failed else 0


def play(case: str, seed: int) -> str:
    """Plays one session; returns why it failed, "" if it did not."""
    try:
        CASES[case](seed)
    except Exception:
        return traceback.format_exc(limit=-4)
    return ""


def _runs(args: Namespace) -> Iterator[Run]:
    seeds = count(args.first) if args.minutes else iter(range(args.first, args.first + args.seeds))
    return ((case, seed) for seed in seeds for case in args.cases or CASES)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
