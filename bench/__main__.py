"""./dev bench: measures Flux, beside another one if there is one."""

import json
import shutil
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace, RawDescriptionHelpFormatter
from pathlib import Path

from bench import machine, table
from bench.benches import BENCHES
from bench.contender import Contender
from bench.figures import FIGURES
from bench.turns import measure

EXAMPLES = """\
examples:
  ./dev bench                              all of it, ours alone
  ./dev bench --quick rpc kvs              some of it, in seconds
  ./dev bench --vs /path/to/flux --json figures.json

A ratio says how many times as good ours is. Each figure is the median of the turns.
"""


def main() -> int:
    """Measures, prints a table; 1 if something of ours could not be measured."""
    args = parse()
    effort = 0.02 if args.quick else 1.0
    ours = shutil.which("flux", path=str(Path(sys.executable).parent)) or sys.exit(
        "bench: there is no flux beside python"
    )
    contenders = [Contender(ours, effort=effort)]
    if args.vs:
        contenders.append(Contender(args.vs, ours=False, effort=effort))
    versions = [contender.version() for contender in contenders]
    found, load = machine.describe(), machine.noise()
    samples = measure(contenders, args.names or BENCHES, args.turns or (1 if args.quick else 5), say)
    rows = table.rows(FIGURES, samples)
    print(table.table(rows))
    loads = [load, machine.noise()]
    print(f"\n{table.footer(found, loads)}")
    if args.json:
        head = {"machine": found, "load": loads, "versions": versions}
        args.json.write_text(json.dumps(head | {"figures": table.as_json(rows, samples)}, indent=1) + "\n")
    return int(any(row.ours == "failed" for row in rows))


def parse() -> Namespace:
    """The command line."""
    parser = ArgumentParser("bench", description=__doc__, epilog=EXAMPLES, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--vs", metavar="FLUX", type=command, help="the flux command of another Flux, to compare with")
    parser.add_argument("--json", metavar="FILE", type=writable, help="also write all samples to a file")
    parser.add_argument("--quick", action="store_true", help="one turn of few: to see that it works, not how fast")
    parser.add_argument("--turns", metavar="N", type=int, help="how often each is measured (5)")
    parser.add_argument("names", metavar="NAME", nargs="*", help=f"of: {' '.join(BENCHES)}")
    args = parser.parse_args()
    if unknown := [name for name in args.names if name not in BENCHES]:
        parser.error(f"{unknown[0]}: no such bench (there are: {' '.join(BENCHES)})")
    return args


def command(text: str) -> str:
    """A flux command, with its whole path."""
    found = shutil.which(text)
    if found is None:
        raise ArgumentTypeError(f"{text}: no such command")
    return str(Path(found).absolute())


def writable(text: str) -> Path:
    """A file that can be written: better known now than after all the measuring."""
    try:
        Path(text).touch()
    except OSError as error:
        raise ArgumentTypeError(f"{text}: {error.strerror}") from None
    return Path(text)


def say(text: str) -> None:
    """Progress, apart from the figures."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
