"""`flux snoop`: look on at the messages of a broker (2016's command of that name)."""

from flux.commands.overlay import show
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
    made.add_argument("-c", "--count", type=int, default=0, metavar="N", help="end after N messages")
    made.add_argument("topic", metavar="TOPIC", nargs="?", default="*", help="only topics like that (a glob)")
    return made


def main(argv: list[str]) -> int:
    """Runs `flux snoop`."""
    args = parser().parse_args(argv)
    asked = {"typemask": 0xF, "topic_glob": args.topic, "nodeid": -1, "full": args.full, "local": True}
    with Flux() as handle:
        for number, seen in enumerate(handle.stream("overlay.trace", asked), 1):
            show(seen)
            if number == args.count:
                break
    return 0
