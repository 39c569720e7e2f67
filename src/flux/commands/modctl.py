"""`flux modctl`: which modules are wanted where, and whether they are there."""

from argparse import Namespace
from typing import Any

from flux.base.idset import IDset
from flux.commands.complaint import complain
from flux.commands.parser import Parser, command_parser, subcommand
from flux.core.handle import Flux

EXAMPLES = """\
  flux modctl status
  flux module load -r 0-511 ./mine.py     what belongs where is said by `flux module load` and `remove` with --rank
"""
STATUS_EXAMPLES = """\
  flux modctl status
  flux modctl status --json
"""


def parser() -> Parser:
    """The options of `flux modctl`."""
    made = command_parser("modctl", "Show which modules belong on which ranks.", EXAMPLES)
    commands = made.add_subparsers(title="commands", metavar="COMMAND", required=True)
    one = subcommand(commands, "status", "show which modules are wanted and loaded where", STATUS_EXAMPLES)
    one.add_argument("--json", action="store_true", help="as a JSON array")
    one.set_defaults(do=status)
    return made


def main(argv: list[str]) -> int:
    """Runs `flux modctl`."""
    args = parser().parse_args(argv)
    with Flux() as handle:
        args.do(handle, args)
    return 0


def status(handle: Flux, args: Namespace) -> None:
    """Runs `flux modctl status`. Ranks that cannot be asked count neither as missing nor as having something."""
    rows = handle.rpc("modctl.wanted", nodeid=0).get()["modules"]
    found = handle.multicast("modctl.loaded")
    for refusal in found.errors:
        complain("flux-modctl", refusal.line())
    unknown = IDset().union(*(refusal.ranks for refusal in found.errors))
    modules = compared(rows, [(ranks, answer["modules"]) for ranks, answer in found.answers], unknown)
    if args.json:
        from json import dumps

        print(dumps(modules, indent=2))
    else:
        print(table(modules))


def compared(wanted: list[dict[str, Any]], loaded: list[tuple[IDset, Any]], unknown: IDset) -> list[dict[str, str]]:
    """A row for each module: where it is wanted and loaded, where it is missing, and where nobody wanted it."""
    want: dict[str, IDset] = {}
    have: dict[str, IDset] = {}
    for row in wanted:
        want.setdefault(row["name"], IDset()).add(row["ranks"])
    for ranks, modules in loaded:
        for module in modules:
            have.setdefault(module["name"], IDset()).add(ranks)
    rows = []
    for name in want | have:
        wants, has = want.get(name, IDset()), have.get(name, IDset())
        sets = {"wanted": wants, "loaded": has, "missing": wants - has - unknown, "extra": has - wants}
        rows.append({"name": name} | {key: str(ranks) for key, ranks in sets.items()})
    return rows


def table(rows: list[dict[str, str]]) -> str:
    """The rows in columns; the differences only if there are some."""
    columns = ["name", "wanted", "loaded"]
    columns += [column for column in ("missing", "extra") if any(row[column] for row in rows)]
    titles = {column: "Module" if column == "name" else column.capitalize() for column in columns}
    widths = {column: max([len(titles[column]), *(len(row[column]) for row in rows)]) for column in columns}
    lines = [[f"{row[column]:<{widths[column]}}" for column in columns] for row in (titles, *rows)]
    return "\n".join("  ".join(line).rstrip() for line in lines)
