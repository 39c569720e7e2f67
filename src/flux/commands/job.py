"""`flux job`: looks into jobs, signals and changes them."""

from importlib import import_module

from flux.commands.jobcommand import Command
from flux.commands.parser import Parser, command_parser
from flux.core.handle import Flux

EXAMPLES = """\
  flux job attach JOBID                its output, from the beginning to the end; Ctrl-C leaves it
  flux job eventlog JOBID              what has happened to it, in seconds since 1970
  flux job wait-event JOBID start      wait until it runs
  flux job info JOBID R                what it got; or jobspec, eventlog, guest.output
  flux job explain JOBID               why it waits, or why it failed
  flux job last                        the id of your latest job
  flux job COMMAND --help              the options of one command
"""
PLACES = {
    "joblooks": "attach explain status wait wait-event eventlog info timeleft taskmap",
    "jobchanges": "cancel raise raiseall kill killall urgency memo purge",
    "joblists": "id last list list-ids stats",
}
"""Where each command is: only what is called is imported."""
NAMES = {name: place for place, names in PLACES.items() for name in names.split()}
WITHOUT_SESSION = ("id",)


def command(name: str) -> Command:
    """One of the commands."""
    found: Command = import_module(f"flux.commands.{NAMES[name]}").COMMANDS[name]
    return found


def parser() -> Parser:
    """The options of `flux job`."""
    made = command_parser("job", "Look into jobs, signal and change them.", EXAMPLES)
    commands = made.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in NAMES:
        one = command(name)
        one.fill(commands.add_parser(name, help=one.summary))
    return made


def main(argv: list[str]) -> int:
    """Runs `flux job`."""
    if not argv or argv[0] not in NAMES:
        parser().parse_args(argv)
        return 0
    made = command(argv[0])
    args = made.fill(Parser(prog=f"flux job {argv[0]}")).parse_args(argv[1:])
    if argv[0] in WITHOUT_SESSION:
        return made.do(None, args) or 0
    with Flux() as handle:
        return made.do(handle, args) or 0
