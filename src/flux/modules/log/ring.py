"""The records that one broker keeps: the latest ones, as they came. Pure."""

from collections import deque
from collections.abc import Iterator
from errno import EINVAL

ATTRIBUTE, SIZE = "log-ring-size", 1024
"""How many there are room for, unless the attribute says otherwise."""


class Ring:
    """A bounded list of records."""

    def __init__(self) -> None:
        self._records: deque[str] = deque(maxlen=SIZE)
        self.count = 0
        """Records that were ever kept."""

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._records))

    def append(self, record: str) -> None:
        """Keeps a record; the oldest one makes room."""
        self._records.append(record)
        self.count += 1

    def clear(self) -> None:
        """Forgets all."""
        self._records.clear()

    def resize(self, text: str) -> None:
        """Takes the attribute's value; what does not fit any more is forgotten. OSError(EINVAL) if it is no number."""
        if not (text.isascii() and text.isdecimal() and len(text) < 10):
            raise OSError(EINVAL, f"{ATTRIBUTE}: '{text}' is not a number of records")
        self._records = deque(self._records, maxlen=int(text))
