"""`flux event`: publishes events and shows those that are published."""

import argparse
from errno import EINVAL
from typing import Any

from flux.commands.parser import Parser, command_parser, count, subcommand
from flux.constants import FLUX_MSGFLAG_PRIVATE, FLUX_MSGTYPE_EVENT
from flux.core.handle import Flux
from flux.message import Message
from flux.wire.payload import decode_text, encode_payload

EXAMPLES = """\
  flux event pub lunch.ready                  publish an event
  flux event pub lunch.ready '{"room": 4}'    with something to say, in JSON
  flux event sub lunch                        show all events that begin with `lunch`
"""
PUB_EXAMPLES = """\
  flux event pub lunch.ready '{"room": 4}'
  flux event pub --synchronous lunch.ready    wait until it is on its way, and show its number
  flux event pub --raw lunch.ready soup, then pasta
"""
SUB_EXAMPLES = """\
  flux event sub                      all events, until Ctrl-C
  flux event sub --count 1 lunch.     the first whose topic begins with `lunch.`
"""


def parser() -> Parser:
    """The options of `flux event`."""
    made = command_parser("event", "Publish events to the whole session, and receive them.", EXAMPLES)
    commands = made.add_subparsers(title="commands", metavar="COMMAND", required=True)
    pub = subcommand(commands, "pub", "publish an event", PUB_EXAMPLES)
    pub.add_argument("-r", "--raw", action="store_true", help="send the payload as it is, not as JSON")
    pub.add_argument("-s", "--synchronous", action="store_true", help="wait for the event's number and show it")
    pub.add_argument("-l", "--loopback", action="store_true", help="wait until the event has come back")
    pub.add_argument("-p", "--private", action="store_true", help="only for the owner of the session and oneself")
    pub.add_argument("topic", metavar="TOPIC", help="the event's name")
    pub.add_argument("payload", nargs="*", default=[], metavar="PAYLOAD", help="a JSON object, unless --raw")
    pub.set_defaults(do=publish)
    sub = subcommand(commands, "sub", "show events", SUB_EXAMPLES)
    sub.add_argument("-c", "--count", type=count, default=0, metavar="N", help="end after N events")
    sub.add_argument(
        "topics", nargs="*", default=[], metavar="TOPIC", help="how their topics begin; all events without one"
    )
    sub.set_defaults(do=subscribe)
    return made


def main(argv: list[str]) -> int:
    """Runs `flux event`."""
    args = parser().parse_args(argv)
    with Flux() as handle:
        args.do(handle, args)
    return 0


def publish(handle: Flux, args: argparse.Namespace) -> None:
    """Runs `flux event pub`."""
    event = handle.event_create(args.topic, payload(" ".join(args.payload), args.raw))
    if args.private:
        event.handle.flags |= FLUX_MSGFLAG_PRIVATE
    if args.loopback:
        handle.event_subscribe(args.topic)
    if args.synchronous:
        print(f"seq={number(handle, event)}")
    else:
        handle.send(event)
    while args.loopback:
        found = handle.event_recv(args.topic)
        args.loopback = found is None or found.handle.payload() != event.handle.payload()


def payload(text: str, raw: bool) -> Any:
    """What an event carries. OSError(EINVAL) for text that is not a JSON object."""
    if not text:
        return None
    if raw:
        return text.encode("utf-8", "surrogateescape")
    from json import loads

    try:
        if isinstance(loads(text), dict):
            return text
    except ValueError:
        pass
    raise OSError(EINVAL, f"payload: not a JSON object: {text}")


def number(handle: Flux, event: Message) -> int:
    """Publishes an event by way of rank 0, which says what number it has got."""
    asked: dict[str, Any] = {"topic": event.topic, "flags": event.handle.flags & FLUX_MSGFLAG_PRIVATE}
    data = encode_payload(event.handle.payload())
    if data is not None:
        from base64 import b64encode

        asked["payload"] = b64encode(data).decode()
    return int(handle.rpc("event.publish", asked, nodeid=0).get()["seq"])


def subscribe(handle: Flux, args: argparse.Namespace) -> None:
    """Runs `flux event sub`."""
    for topic in args.topics or [""]:
        handle.event_subscribe(topic)
    left = args.count or -1
    while left:
        event = handle.recv(FLUX_MSGTYPE_EVENT)
        if event is not None:
            print(line(event), flush=True)
            left -= 1


def line(event: Message) -> str:
    """An event as it is shown. A payload may be anything: what cannot be printed is a period."""
    text = decode_text(event.handle.data) or ""
    return f"{event.topic}\t{''.join(letter if letter.isprintable() else '.' for letter in text)}"
