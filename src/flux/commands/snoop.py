"""`flux snoop`: look on at the messages of a broker (2016's command of that name)."""

from flux.commands import traceview
from flux.commands.parser import Parser, command_parser
from flux.core.handle import Flux

EXAMPLES = """\
  flux snoop                 all messages that pass this broker
  flux snoop 'kvs.*'         those of the key-value store
  flux snoop -l -f           with payloads
"""


def parser() -> Parser:
    """The options of `flux snoop`."""
    made = command_parser("snoop", "Show the messages that pass the broker, until ^C.", EXAMPLES)
    made.add_argument("-f", "-l", "--full", action="store_true", help="with payloads")
    traceview.options(made)
    made.add_argument("topic", metavar="TOPIC", nargs="?", default="*", help="only topics like that (a glob)")
    return made


def main(argv: list[str]) -> int:
    """Runs `flux snoop`."""
    args = parser().parse_args(argv)
    asked = {"typemask": 0xF, "topic_glob": args.topic, "nodeid": -1, "full": args.full, "local": True}
    with Flux() as handle:
        view = traceview.View(args)
        for seen in handle.stream("overlay.trace", asked):
            if not view.show(seen):
                break
    return 0
