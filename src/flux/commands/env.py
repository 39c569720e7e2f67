"""`flux env`: the environment that `flux` gives its commands, to look at or to run something in."""

import os
from argparse import REMAINDER

from flux.commands import environment
from flux.commands.parser import Parser, command_parser

EXAMPLES = """\
  flux env                       show it, in a form that a shell reads
  eval "$(flux env)"             have it in the shell
  flux env ./script              run something in it
  flux --parent env ./script     in the environment of the enclosing instance
"""


def parser() -> Parser:
    """The options of `flux env`."""
    made = command_parser("env", "Show the environment of Flux commands, or run a command in it.", EXAMPLES)
    made.add_argument("command", nargs=REMAINDER, metavar="COMMAND ...", help="what to run")
    return made


def main(argv: list[str]) -> int:
    """Runs `flux env`."""
    command = parser().parse_args(argv).command
    command = command[1:] if command[:1] == ["--"] else command
    if command:
        os.environ.update(environment.settings(os.environ))
        try:
            os.execvp(command[0], command)
        except OSError as error:
            raise OSError(error.errno, f"{command[0]}: {error.strerror}") from None
    for name, value in environment.settings(os.environ).items():
        print(f'export {name}="{escaped(value)}"')
    return 0


def escaped(value: str) -> str:
    """As it stands between double quotes of a shell."""
    return "".join(f"\\{letter}" if letter in '\\"$`' else letter for letter in value)
