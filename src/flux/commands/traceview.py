"""How `flux module trace`, `flux overlay trace` and `flux snoop` show messages."""

import sys
from argparse import Namespace
from collections.abc import Iterable
from datetime import datetime
from errno import errorcode
from json import dumps
from typing import Any

from flux.commands.logview import wants_color
from flux.commands.parser import Parser

SIGNS = {1: ">", 2: "<", 4: "e", 8: "c"}
"""Request, response, event, control."""
RESET = "\033[0m"
COLORS = {1: "\033[1m\033[34m", 2: "\033[36m", 4: "\033[33m", 8: "\033[1m"}
GREEN, BOLD_GREEN, BOLD_RED = "\033[32m", "\033[1m\033[32m", "\033[1m\033[31m"


def options(made: Parser) -> None:
    """The options that say how messages are shown."""
    add = made.add_argument
    add("-c", "--count", type=int, default=0, metavar="N", help="end after N messages")
    add("-H", "--human", action="store_true", help="times that are easier to read")
    add("-d", "--delta", action="store_true", help="with --human, the time since the message before")
    colors = "colors: always (the default if WHEN is not given), never, auto: on a terminal"
    when = ("always", "never", "auto")
    add("-L", "--color", nargs="?", choices=when, const="always", default="auto", metavar="WHEN", help=colors)


class View:
    """Prints messages, one line each, and their payloads if they are there."""

    def __init__(self, args: Namespace, modules: Iterable[str] = ()) -> None:
        self._human, self._delta, self._left = args.human, args.delta, args.count
        self._color = wants_color(args.color, sys.stdout)
        self._width = max(map(len, modules), default=0)
        self._minute = 0
        self._since = 0.0

    def show(self, record: dict[str, Any], ranks: str = "") -> bool:
        """Prints one; says whether there are to be more."""
        failed = record.get("errnum", 0) > 0
        color = BOLD_RED if failed else COLORS.get(record["type"], "")
        print(f"{self._when(record['timestamp'])} {self._paint(color, self._text(record, ranks))}", flush=True)
        self._left -= 1
        return bool(self._left)

    def _text(self, record: dict[str, Any], ranks: str) -> str:
        sign = SIGNS.get(record["type"], "?")
        if record.get("name"):
            name = f"{record['name']}[{ranks}]" if ranks else record["name"]
            line = f"{name:>{self._width}} {record['prefix']} {sign} {record['topic']}"
        else:  # of the tree: what counts is the neighbour
            line = f"{record['prefix']} {record['rank'] if record['rank'] >= 0 else '*'} {sign} {record['topic']}"
        line += f" [{size(record['payload_size'])}]"
        if record["type"] == 2:
            errnum = record.get("errnum", 0)
            line += " " + (errorcode.get(errnum, f"errno {errnum}") if errnum else "success")
        more = record.get("errstr") or (dumps(record["payload"], indent=2) if record.get("payload") else "")
        return f"{line}\n{more}" if more else line

    def _when(self, timestamp: float) -> str:
        time = datetime.fromtimestamp(timestamp)
        if not self._human:
            return self._paint(GREEN, time.isoformat(timespec="milliseconds"))
        minute = int(timestamp // 60)
        if minute != self._minute:
            self._minute, self._since = minute, timestamp if self._delta else minute * 60.0
            return self._paint(BOLD_GREEN, f"[{time.strftime('%b%d %H:%M')}]")
        seconds = timestamp - self._since
        if self._delta:
            self._since = timestamp
        return self._paint(GREEN, f"[{seconds:+11.6f}]")

    def _paint(self, color: str, text: str) -> str:
        return f"{color}{text}{RESET}" if self._color and color else text


def size(count: int) -> str:
    """A number of bytes as people like it: 110, 1.5K."""
    value, at = float(count), 0
    while value >= 1024:
        value, at = value / 1024, at + 1
    return f"{value:.8g}{('', 'K', 'M', 'G', 'T')[at]}"
