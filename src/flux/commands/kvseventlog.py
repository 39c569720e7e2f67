"""`flux kvs eventlog`: logs of events (RFC 18) at keys."""

import json
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from datetime import datetime
from errno import EINVAL, ENODATA, ENOENT, ETIMEDOUT
from functools import partial
from os import strerror
from time import time
from typing import Any

from flux.base import eventlog, treeobj
from flux.base.eventlog import Entry
from flux.commands.kvs import called, namespace_option
from flux.commands.logview import wants_color
from flux.commands.parser import Parser, count, duration, subcommand
from flux.constants import (
    FLUX_KVS_APPEND,
    FLUX_KVS_STREAM,
    FLUX_KVS_WAITCREATE,
    FLUX_KVS_WATCH,
    FLUX_KVS_WATCH_APPEND,
)
from flux.core.handle import Flux
from flux.eventlog import EventLogFormatter
from flux.kvs.reading import lookup_async
from flux.kvs.watch import watch_rpc
from flux.kvs.writing import KVSTxn
from flux.rpc import RPC


def fill(made: Parser) -> None:
    """Gives the parser of `flux kvs eventlog` its commands."""
    commands = made.add_subparsers(title="commands", metavar="COMMAND", required=True)
    how = subcommand(
        commands, "append", "Append an event to a log.", "  flux kvs eventlog append log begin '{\"n\":1}'\n"
    )
    namespace_option(how)
    how.add_argument(
        "-t", "--timestamp", type=float, default=0.0, metavar="SECONDS", help="its time, instead of now (since 1970)"
    )
    how.add_argument("key", metavar="KEY")
    how.add_argument("name", metavar="NAME")
    how.add_argument("context", nargs="*", metavar="CONTEXT", help="a JSON object")
    how.set_defaults(do=append)
    how = subcommand(commands, "get", "Show the events of a log.", "  flux kvs eventlog get --watch --human log\n")
    _log_options(how)
    how.add_argument("-w", "--watch", action="store_true", help="also those that will be appended")
    how.add_argument("-c", "--count", type=count, default=0, metavar="N", help="with --watch: end after N events")
    how.add_argument("-S", "--stream", action="store_true", help="a large log in parts")
    how.add_argument("key", metavar="KEY")
    how.set_defaults(do=get)
    how = subcommand(commands, "wait-event", "Wait for an event.", "  flux kvs eventlog wait-event -t 10s log end\n")
    _log_options(how)
    how.add_argument("-t", "--timeout", type=duration, metavar="DURATION", help="do not wait longer for news")
    how.add_argument("-q", "--quiet", action="store_true", help="do not show it")
    how.add_argument("-v", "--verbose", action="store_true", help="show all events until then")
    how.add_argument("key", metavar="KEY")
    how.add_argument("event", metavar="NAME")
    how.set_defaults(do=wait_event)


def _log_options(how: Parser) -> None:
    namespace_option(how)
    how.add_argument("-W", "--waitcreate", action="store_true", help="wait for a log that is not there")
    how.add_argument("-u", "--unformatted", action="store_true", help="events as they are stored")
    how.add_argument("-H", "--human", action="store_true", help="times as people read them")
    how.add_argument(
        "-L",
        "--color",
        nargs="?",
        const="always",
        default="auto",
        choices=("always", "never", "auto"),
        metavar="WHEN",
        help="colors: always (the default if WHEN is not given), never, auto: on a terminal",
    )


# -- append ------------------------------------------------------------------------------------------------------------


def append(handle: Flux, args: Namespace) -> None:
    """Runs `flux kvs eventlog append`."""
    with called("eventlog_entry_create"):
        event = eventlog.entry(args.timestamp or time(), args.name, _context(args.context))
    txn = KVSTxn(handle, namespace=args.namespace)
    txn.stage(args.key, treeobj.val(eventlog.encode(event).encode()), FLUX_KVS_APPEND)
    with called("flux_kvs_commit"):
        txn.commit()


def _context(words: list[str]) -> Any:
    try:
        return json.loads(" ".join(words)) if words else None
    except ValueError:
        raise OSError(EINVAL, "context is not JSON") from None


# -- get ---------------------------------------------------------------------------------------------------------------


def get(handle: Flux, args: Namespace) -> None:
    """Runs `flux kvs eventlog get`."""
    view = View(args)
    flags = FLUX_KVS_WAITCREATE * args.waitcreate | FLUX_KVS_STREAM * args.stream
    flags |= (FLUX_KVS_WATCH | FLUX_KVS_WATCH_APPEND) * args.watch
    ask = watch_rpc if flags else lookup_async
    for number, event in enumerate(events(ask(handle, args.key, flags, args.namespace), flags, _failed), 1):
        view.show(event)
        if args.watch and number == args.count:
            return


def events(asked: RPC, flags: int, failed: Callable[[OSError], OSError], timeout: float = -1.0) -> Iterator[Entry]:
    """The events of a log as they come, until there are no more. `failed` says what to raise for a refusal."""
    while True:
        try:
            value = treeobj.value_of(asked.wait_for(timeout).get()["val"])
        except OSError as error:
            if error.errno == ENODATA and flags:
                return
            raise failed(error) from None
        yield from _read(value)
        if not flags & (FLUX_KVS_WATCH | FLUX_KVS_STREAM):
            return
        asked.reset()


def _read(value: bytes) -> list[Entry]:
    try:
        return eventlog.decode(value)
    except OSError:
        raise OSError(EINVAL, "cannot decode improperly formatted eventlog") from None


def _failed(error: OSError) -> OSError:
    """The words that scripts know."""
    return OSError(error.errno, f"flux_kvs_lookup_get: {strerror(error.errno or EINVAL)}")


class View(EventLogFormatter):
    """How events are shown: on the terminal at once."""

    raw = offset = ".6f"

    def __init__(self, args: Namespace) -> None:
        if args.unformatted and (args.human or args.color == "always"):
            raise OSError(EINVAL, "--unformatted goes neither with --human nor with --color=always")
        color = "always" if wants_color(args.color, sys.stdout) else "never"
        super().__init__(timestamp_format="human" if args.human else "raw", color=color)
        self._plain = args.unformatted

    def show(self, event: Entry) -> None:
        """Shows an event."""
        print(eventlog.encode(event).rstrip("\n") if self._plain else self.format(event), flush=True)

    def same_minute(self, last: datetime, when: datetime) -> bool:
        """Whether the clock has the same minute."""
        return last.replace(second=0, microsecond=0) == when.replace(second=0, microsecond=0)


# -- wait-event --------------------------------------------------------------------------------------------------------


def wait_event(handle: Flux, args: Namespace) -> None:
    """Runs `flux kvs eventlog wait-event`."""
    view = View(args)
    flags = FLUX_KVS_WATCH | FLUX_KVS_WATCH_APPEND | FLUX_KVS_WAITCREATE * args.waitcreate
    timeout = -1.0 if args.timeout is None else args.timeout
    asked = watch_rpc(handle, args.key, flags, args.namespace)
    for event in events(asked, flags, partial(_missed, args), timeout):
        found = event["name"] == args.event
        if args.verbose if not found else not args.quiet:
            view.show(event)
        if found:
            return
    raise OSError(ENODATA, f"event '{args.event}' never received")


def _missed(args: Namespace, error: OSError) -> OSError:
    if error.errno == ENOENT:
        return OSError(ENOENT, f"eventlog path {args.key} not found")
    if error.errno == ETIMEDOUT:
        return OSError(ETIMEDOUT, f"wait-event timeout on event '{args.event}'")
    return _failed(error)
