"""How `flux stream` shows streams, and what is known of them."""

from datetime import datetime
from typing import TYPE_CHECKING

from flux.base.streamlog import Said
from flux.runtime.descriptor import write_all

if TYPE_CHECKING:
    from flux.stream.listing import Stat


class View:
    """Where the parts of a stream go: stderr to ours, all else, or the one that is wanted, to our stdout."""

    def __init__(self, label: bool, only: str | None = None) -> None:
        self._only, self._lines = only, Labels() if label else None

    def show(self, said: Said) -> None:
        """Shows it at once."""
        if not said.data or self._only not in (None, said.stream):
            return
        to = 2 if said.stream == "stderr" and self._only is None else 1
        write_all(to, self._lines.put(said) if self._lines is not None else said.data)


class Labels:
    """Puts ranks before lines."""

    def __init__(self) -> None:
        self._begun: set[tuple[str, str]] = set()
        """Parts whose last line has no end yet, so that it has its label already."""

    def put(self, said: Said) -> bytes:
        """The data with its labels."""
        part, mark = (said.stream, said.rank), f"{said.rank}: ".encode()
        *lines, rest = said.data.split(b"\n")
        text = b"".join(mark + line + b"\n" for line in lines) + (mark + rest if rest else b"")
        if part in self._begun:
            text = text[len(mark) :]
        self._begun.discard(part)
        if rest:
            self._begun.add(part)
        return text


def row(name: str, stat: "Stat") -> str:
    """A stream in a list."""
    return f"{_state(stat):<5} {stat.writers:>3} {sum(stat.bytes.values()):>12} {_when(stat.last, 'seconds')} {name}"


def described(name: str, stat: "Stat") -> str:
    """All that is known of a stream."""
    rows = [
        ("stream", name),
        ("state", _state(stat)),
        ("writers", str(stat.writers)),
        *((part, f"{size} bytes, {_ends(stat.ends.get(part))}") for part, size in stat.bytes.items()),
        ("appends", str(stat.appends)),
        ("begun", _when(stat.begun, "milliseconds")),
        ("last", _when(stat.last, "milliseconds")),
        *(("remark", remark) for remark in stat.remarks),
    ]
    return "".join(f"{key + ':':<10}{value}\n" for key, value in rows)


def _state(stat: "Stat") -> str:
    return "ended" if stat.ended else "open"


def _when(seconds: float, precision: str) -> str:
    return datetime.fromtimestamp(seconds).isoformat(sep=" ", timespec=precision)


def _ends(ends: tuple[int, int] | None) -> str:
    return f"{ends[0]} of {ends[1]} ended" if ends is not None else "not in its header"
