"""How `flux module trace` shows messages."""

import sys
from argparse import Namespace
from datetime import datetime
from errno import errorcode
from json import dumps
from typing import Any

from flux.commands.logview import wants_color

SIGNS = {1: ">", 2: "<", 4: "e", 8: "c"}
"""Request, response, event, control."""
RESET = "\033[0m"
COLORS = {1: "\033[1m\033[34m", 2: "\033[36m", 4: "\033[33m", 8: "\033[1m"}
GREEN, BOLD_GREEN, BOLD_RED = "\033[32m", "\033[1m\033[32m", "\033[1m\033[31m"


class View:
    """Prints messages, one line each, and their payloads if they are there."""

    def __init__(self, args: Namespace) -> None:
        self._human, self._delta, self._left = args.human, args.delta, args.count
        self._color = wants_color(args.color, sys.stdout)
        self._width = max(map(len, args.modules), default=0)
        self._minute = 0
        self._since = 0.0

    def show(self, record: dict[str, Any], ranks: str = "") -> bool:
        """Prints one; says whether there are to be more."""
        failed = record["errnum"] > 0
        color = BOLD_RED if failed else COLORS.get(record["type"], "")
        print(f"{self._when(record['timestamp'])} {self._paint(color, self._text(record, ranks))}", flush=True)
        self._left -= 1
        return bool(self._left)

    def _text(self, record: dict[str, Any], ranks: str) -> str:
        name = f"{record['name']}[{ranks}]" if ranks else record["name"]
        line = f"{name:>{self._width}} {record['prefix']} {SIGNS.get(record['type'], '?')} {record['topic']}"
        line += f" [{size(record['payload_size'])}]"
        if record["type"] == 2:
            errnum = record["errnum"]
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
