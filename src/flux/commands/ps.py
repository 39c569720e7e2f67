"""`flux ps`: the processes that `flux exec` runs on the brokers' nodes (2016's command of that name)."""

import sys
from typing import Any

from flux.commands import ranks
from flux.commands.complaint import complain
from flux.commands.parser import Parser, command_parser
from flux.core.handle import Flux

EXAMPLES = """\
  flux ps                 what runs on this broker
  flux ps -r all          on all of them
  flux ps -r 0-3 --json   for programs
"""

COLUMNS = ("RANK", "PID", "STATE", "LABEL", "COMMAND")


def parser() -> Parser:
    """The options of `flux ps`."""
    made = command_parser("ps", "Show the processes that brokers run for `flux exec`.", EXAMPLES)
    made.add_argument("-r", "--rank", metavar="IDSET", help="on these ranks, or `all`")
    made.add_argument("-n", "--no-header", action="store_true", help="no line with the names of the columns")
    made.add_argument("--json", action="store_true", help="as a JSON array")
    return made


def main(argv: list[str]) -> int:
    """Runs `flux ps`."""
    args = parser().parse_args(argv)
    with Flux() as handle:
        wanted = ranks.ranks(handle, args.rank) if args.rank else [int(handle.attr_get("rank"))]
        rows, failures = collect(handle, wanted)
    if args.json:
        from json import dumps

        print(dumps(rows, indent=2))
    else:
        show(rows, header=not args.no_header)
    for failure in failures:
        complain("flux-ps", failure)
    return 1 if failures else 0


def collect(handle: Flux, wanted: list[int]) -> tuple[list[dict[str, Any]], list[str]]:
    """The processes by rank, and who could not be asked."""
    gathered = handle.multicast("rexec.list", {}, ranks=wanted)
    rows = [{"rank": answer["rank"], **proc} for _, answer in gathered.answers for proc in answer["procs"]]
    failures = [refusal.line() for refusal in gathered.errors]
    return sorted(rows, key=lambda row: (row["rank"], row["pid"])), failures


def show(rows: list[dict[str, Any]], *, header: bool) -> None:
    """A line for each process, in columns."""
    lines = [COLUMNS] if header else []
    cells = [(str(row["rank"]), str(row["pid"]), row["state"], row["label"] or "-", row["cmd"]) for row in rows]
    widths = [max(len(line[at]) for line in [*lines, *cells]) if lines or cells else 0 for at in range(4)]
    for line in [*lines, *cells]:
        left = f"{line[0]:>{widths[0]}} {line[1]:>{widths[1]}} {line[2]:<{widths[2]}} {line[3]:<{widths[3]}}"
        sys.stdout.write(f"{left} {line[4]}\n")
