"""`flux help`: all commands by category, or one of them."""

from flux.commands import front, plugins
from flux.commands.parser import Parser, command_parser
from flux.commands.table import CATEGORIES, COMMANDS

USAGE = """\
usage: flux [OPTIONS] COMMAND [ARGUMENTS]

options:
  -h, --help     show this, or with a COMMAND its help
  -p, --parent   ask the instance that this one runs in; twice, the one above that
  -r, --root     ask the outermost instance
  -v, --verbose  show the environment, where a command is looked for, and tracebacks
  -V, --version  show versions
"""
EXAMPLES = """\
  flux help             list all commands
  flux help ping        explain one of them; `flux ping --help` does the same
  flux help kvs put     one of the commands of a command
"""


def parser() -> Parser:
    """The options of `flux help`."""
    made = command_parser("help", "List the commands, or explain one.", EXAMPLES)
    made.add_argument("command", nargs="*", default=[], metavar="COMMAND", help="what to explain")
    return made


def main(argv: list[str]) -> int:
    """Runs `flux help`."""
    words = parser().parse_args(argv).command
    if words:
        return front.run([], [words[0].removeprefix("flux-"), *words[1:], "--help"])
    print(overview(), end="")
    return 0


def overview() -> str:
    """All commands by category, our own and plug-ins."""
    sections = [USAGE]
    for category, commands in CATEGORIES.items():
        sections.append(f"{category}:\n" + "".join(f"  {name:<10} {summary}\n" for name, summary in commands.items()))
    others = sorted(plugins.names() - COMMANDS.keys())
    if others:
        sections.append("Plug-ins:\n" + "".join(f"  {name}\n" for name in others))
    sections.append("See `flux help COMMAND` for more about one of them.\n")
    return "\n".join(sections)
