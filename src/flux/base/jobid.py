"""Job ids (RFC 19): 64 bits of time, generator and sequence, and the texts that people write for them."""

import re
from typing import Self

from flux.base.invalid import Invalid

ANY = 0xFFFFFFFFFFFFFFFF
"""Any job, where one may be meant."""

_DIGITS = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_VALUES = {digit: value for value, digit in enumerate(_DIGITS)}
_dothex = re.compile(r"(?:job\.)?([0-9a-fA-F]{1,4})\.([0-9a-fA-F]{1,4})\.([0-9a-fA-F]{1,4})\.([0-9a-fA-F]{1,4})")


def compose(milliseconds: int, generator: int, sequence: int) -> int:
    """Makes an id: 40 bits of milliseconds since the instance began, 14 of generator (rank), 10 of sequence."""
    if not (0 <= milliseconds < 1 << 40 and 0 <= generator < 1 << 14 and 0 <= sequence < 1 << 10):
        raise Invalid(f"no job id for time {milliseconds}, generator {generator}, sequence {sequence}")
    return milliseconds << 24 | generator << 10 | sequence


def parse(text: str) -> int:
    """Reads any of the texts (decimal, hex, dothex, kvs, F58). Raises ValueError."""
    word = text.strip()
    try:
        value = _read(word)
    except (ValueError, KeyError):
        value = -1
    if not 0 <= value <= ANY or len(word) > 32:
        raise Invalid(f"{text[:40]} is not a valid Flux jobid")
    return value


def _read(word: str) -> int:
    if "." in word:
        match = _dothex.fullmatch(word)
        if match is None:
            return -1
        high, low = int(match[1], 16) << 16 | int(match[2], 16), int(match[3], 16) << 16 | int(match[4], 16)
        return high << 32 | low
    if word[:1] in ("ƒ", "f"):
        return _base58(word[1:])
    if word[:2] == "0x":
        return int(word, 16) if "_" not in word else -1
    return int(word) if word.isascii() and word.isdigit() and len(word) <= 20 else -1


def _base58(digits: str) -> int:
    if not 1 <= len(digits) <= 12:
        return -1
    value = 0
    for digit in digits:
        value = value * 58 + _VALUES[digit]
    return value


def f58plain(value: int) -> str:
    """The id in base 58, in ASCII: "fuZZybuNNy"."""
    digits = ""
    rest = value
    while rest or not digits:
        rest, digit = divmod(rest, 58)
        digits = _DIGITS[digit] + digits
    return "f" + digits


class JobID(int):
    """A job id that knows its texts; made from an integer or any of them. str() is F58."""

    orig: str
    """What it was made from."""

    def __new__(cls, value: int | str) -> Self:
        number = int(value) if isinstance(value, int) else parse(value)
        if not 0 <= number <= ANY:
            raise Invalid(f"{number} is not a valid Flux jobid")
        made = super().__new__(cls, number)
        made.orig = value.orig if isinstance(value, JobID) else str(value)
        return made

    @property
    def dec(self) -> str:
        """Decimal: "6731191091817518"."""
        return int.__repr__(self)

    @property
    def hex(self) -> str:
        """Hexadecimal: "0x17e9fb8df16c2e"."""
        return f"0x{int(self):x}"

    @property
    def dothex(self) -> str:
        """Four groups of hexadecimal digits: "0017.e9fb.8df1.6c2e"."""
        word = f"{int(self):016x}"
        return ".".join(word[at : at + 4] for at in range(0, 16, 4))

    @property
    def kvs(self) -> str:
        """The job's directory in the key-value store."""
        return f"job.{self.dothex}"

    @property
    def f58(self) -> str:
        """Base 58: "ƒuZZybuNNy"."""
        return "ƒ" + self.f58plain[1:]

    @property
    def f58plain(self) -> str:
        """Base 58 in ASCII: "fuZZybuNNy"."""
        return f58plain(self)

    def encode(self, encoding: str = "dec") -> str:
        """The text in the encoding of that name: dec, hex, dothex, kvs, f58 or f58plain."""
        if encoding not in ("dec", "hex", "dothex", "kvs", "f58", "f58plain"):
            raise Invalid(f"no such job id encoding: {encoding}")
        return str(getattr(self, encoding))

    def __str__(self) -> str:
        return self.f58

    def __repr__(self) -> str:
        return f"JobID({self.dec})"
