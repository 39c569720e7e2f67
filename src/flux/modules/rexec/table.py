"""The processes of one broker, by pid, by label and by the request that started them."""

from collections.abc import Iterator
from errno import EEXIST, ESRCH
from typing import Generic, Protocol, TypeVar

from flux.modules.rexec.proc import Proc

Key = tuple[bytes, int | str]
"""What names a request: sender and matchtag, or nobody and the key that it has given."""


class Entry(Protocol):
    """What a table holds."""

    proc: Proc


E = TypeVar("E", bound=Entry)


class Table(Generic[E]):
    """Every process that was asked for and is not forgotten."""

    def __init__(self) -> None:
        self._entries: dict[E, Key] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[E]:
        return iter(list(self._entries))

    def add(self, entry: E, key: Key) -> None:
        """Adds one. OSError(EEXIST) if its label is taken."""
        label = entry.proc.command.label
        if label is not None and any(other.proc.command.label == label for other in self._entries):
            raise OSError(EEXIST, "command label is not unique")
        self._entries[entry] = key

    def remove(self, entry: E) -> None:
        """Forgets one."""
        self._entries.pop(entry, None)

    def find(self, pid: int, label: str | None) -> E:
        """By label if there is one, else by pid. OSError(ESRCH) names what was looked for."""
        for entry in self._entries:
            proc = entry.proc
            if proc.pid and (proc.pid == pid if label is None else proc.command.label == label):
                return entry
        what = f"pid {pid}" if label is None else f"label {label}"
        raise OSError(ESRCH, f"{what} does not belong to any subprocess")

    def of_request(self, key: Key) -> E | None:
        """The one that a client's request has started."""
        return next((entry for entry, other in self._entries.items() if other == key), None)
