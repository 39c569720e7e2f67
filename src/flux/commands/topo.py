"""`flux topo`: the tree as it is now, as text or for Graphviz."""

import sys
from collections.abc import Iterator

from flux.commands import ranks
from flux.commands.logview import wants_color
from flux.commands.overlay import survey
from flux.commands.overlayview import Branch, Look, as_json, draw
from flux.commands.parser import Parser, command_parser
from flux.core.handle import Flux

EXAMPLES = """\
  flux topo                          the tree as lines
  flux topo --dot | dot -Tsvg -o tree.svg
  flux topo --json                   for programs
"""


def parser() -> Parser:
    """The options of `flux topo`."""
    made = command_parser("topo", "Show how the brokers hang together now.", EXAMPLES)
    how = made.add_mutually_exclusive_group()
    how.add_argument("--dot", action="store_true", help="as a graph for Graphviz")
    how.add_argument("--json", action="store_true", help="as a JSON object")
    return made


def main(argv: list[str]) -> int:
    """Runs `flux topo`."""
    args = parser().parse_args(argv)
    with Flux() as handle:
        branch, hosts = survey(handle, 0, 0.5), list(ranks.hosts(handle))
    look = Look(0, True, False, wants_color("auto", sys.stdout), hosts, set())
    lines = dot(branch, hosts) if args.dot else [as_json(branch, look)] if args.json else draw(branch, look)
    print("\n".join(lines))
    return 0


def dot(branch: Branch, hosts: list[str]) -> Iterator[str]:
    """The tree as a graph of Graphviz; who is missing is dashed."""
    yield "digraph flux {"
    yield "  node [shape=box];"
    yield from _edges(branch, hosts)
    yield "}"


def _edges(branch: Branch, hosts: list[str]) -> Iterator[str]:
    missing = branch.status in ("lost", "offline")
    host = hosts[branch.rank] if branch.rank < len(hosts) else ""
    yield f'  {branch.rank} [label="{branch.rank}\\n{host}"{", style=dashed" if missing else ""}];'
    for child in branch.children:
        style = " [style=dashed]" if child.status in ("lost", "offline") else ""
        yield f"  {branch.rank} -> {child.rank}{style};"
        yield from _edges(child, hosts)
