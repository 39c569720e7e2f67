"""Lists of host names and their text (RFC 29): ordered, duplicates kept. Held as runs: n[0-9999] is one entry."""

import re
from collections.abc import Iterable, Iterator
from errno import ENOENT
from typing import NamedTuple, Union

from flux.base.invalid import Invalid

MAX_RUN = 1 << 20
"""Hosts in one range; more is taken for a mistake."""

_token = re.compile(r"[^\[\],\t ]*(?:\[[^\[\]]*\][^\[\],\t ]*)*")
_separators = re.compile(r"[,\t ]+")
_numbered = re.compile(r"(.*?)([0-9]+)", re.DOTALL)
_DIGITS = 18
"""Digits of a number that is still counted with; a name with more has no number."""


class Run(NamedTuple):
    """Hosts of one prefix and consecutive numbers, or, with width 0, one host without a number."""

    prefix: str
    lo: int = 0
    hi: int = 0
    width: int = 0

    def host(self, offset: int) -> str:
        return f"{self.prefix}{self.lo + offset:0{self.width}d}" if self.width else self.prefix

    def precedes(self, other: "Run") -> bool:
        """Whether `other` goes on where this run ends, written the same way."""
        numbered = self.width and other.width and self.prefix == other.prefix
        return bool(numbered) and self.hi + 1 == other.lo and self.host(other.lo - self.lo) == other.host(0)

    def offset(self, host: str) -> int:
        """Where `host` is in the run, or -1."""
        if not self.width:
            return 0 if host == self.prefix else -1
        digits = host[len(self.prefix) :]
        if not host.startswith(self.prefix) or not (digits.isascii() and digits.isdigit()) or len(digits) > _DIGITS:
            return -1
        number = int(digits)
        return number - self.lo if self.lo <= number <= self.hi and f"{number:0{self.width}d}" == digits else -1


class Hostlist:
    """An ordered list of hosts. Made from RFC 29 text, or several such texts."""

    __slots__ = ("_count", "_runs")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, arg: Union[str, Iterable[str], "Hostlist"] = "") -> None:
        self._runs: list[Run] = []
        self._count = 0
        if not isinstance(arg, str | Iterable):
            raise TypeError(f"a hostlist is made of text, not {type(arg).__name__}")
        if isinstance(arg, Hostlist):
            self._runs, self._count = list(arg._runs), arg._count
            return
        for text in [arg] if isinstance(arg, str) else arg:
            if not isinstance(text, str):
                raise TypeError(f"a hostlist is made of text, not {type(text).__name__}")
            for run in _parse(text):
                self._append(run)

    def encode(self) -> str:
        """The list as text."""
        groups: list[tuple[str, list[Run]]] = []
        for run in self._runs:
            if run.width and groups and groups[-1][0] == run.prefix and groups[-1][1][0].width:
                groups[-1][1].append(run)
            else:
                groups.append((run.prefix, [run]))
        return ",".join(_group(prefix, runs) for prefix, runs in groups)

    def count(self) -> int:
        """How many hosts there are."""
        return self._count

    def append(self, *args: Union[str, Iterable[str], "Hostlist"]) -> int:
        """Adds hosts at the end; says how many."""
        before = self._count
        for arg in args:
            for run in Hostlist(arg)._runs:
                self._append(run)
        return self._count - before

    def delete(self, hosts: Union[str, Iterable[str], "Hostlist"]) -> int:
        """Takes each of `hosts` out once; says how many were there."""
        deleted = 0
        for host in Hostlist(hosts):
            for at, run in enumerate(self._runs):
                offset = run.offset(host)
                if offset >= 0:
                    self._runs[at : at + 1] = _without(run, offset)
                    self._count -= 1
                    deleted += 1
                    break
        return deleted

    def sort(self) -> "Hostlist":
        """Sorts by prefix, then by number. Returns the list."""
        return self._rebuild(_sorted(self))

    def uniq(self) -> "Hostlist":
        """Sorts, and takes out duplicates. Returns the list."""
        return self._rebuild(_sorted(set(self)))

    def expand(self) -> list[str]:
        """The hosts as a list."""
        return list(self)

    def copy(self) -> "Hostlist":
        """Another list of the same hosts."""
        return Hostlist(self)

    def find(self, host: str) -> int:
        """The first position of `host`. Raises FileNotFoundError."""
        before = 0
        for run in self._runs:
            offset = run.offset(host)
            if offset >= 0:
                return before + offset
            before += run.hi - run.lo + 1
        raise FileNotFoundError(ENOENT, f"host '{host}' not found")

    def index(self, hosts: Union[str, "Hostlist"], ignore_nomatch: bool = False) -> list[int]:
        """The positions of `hosts`. FileNotFoundError names the missing ones, unless they are to be ignored."""
        found: list[int] = []
        missing = Hostlist()
        for host in Hostlist(hosts):
            try:
                found.append(self.find(host))
            except FileNotFoundError:
                missing.append(host)
        if missing and not ignore_nomatch:
            raise FileNotFoundError(ENOENT, f"host{'s' if len(missing) > 1 else ''} '{missing}' not found")
        return found

    def _append(self, run: Run) -> None:
        self._count += run.hi - run.lo + 1
        if self._runs and self._runs[-1].precedes(run):
            self._runs[-1] = self._runs[-1]._replace(hi=run.hi)
        else:
            self._runs.append(run)

    def _rebuild(self, hosts: Iterable[str]) -> "Hostlist":
        self._runs, self._count = [], 0
        for host in hosts:
            self._append(_single(host))
        return self

    def __str__(self) -> str:
        return self.encode()

    def __repr__(self) -> str:
        return f"Hostlist('{self}')"

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[str]:
        for run in self._runs:
            for offset in range(run.hi - run.lo + 1):
                yield run.host(offset)

    def __contains__(self, host: str) -> bool:
        return any(run.offset(host) >= 0 for run in self._runs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Hostlist) and list(self) == list(other)

    def __getitem__(self, index: int | slice | Iterable[int]) -> Union[str, "Hostlist"]:
        """One host by position; of a slice, or of several positions, a new list."""
        if isinstance(index, int):
            return self._nth(index)
        if isinstance(index, slice):
            return Hostlist([self._nth(i) for i in range(len(self))[index]])
        if isinstance(index, str) or not isinstance(index, Iterable):
            raise TypeError(f"a host is found by position, not by {type(index).__name__}")
        return Hostlist([self._nth(i) for i in index])

    def _nth(self, n: int) -> str:
        if not isinstance(n, int):
            raise TypeError(f"a host is found by position, not by {type(n).__name__}")
        left = n if n >= 0 else n + self._count
        if 0 <= left < self._count:
            for run in self._runs:
                if left <= run.hi - run.lo:
                    return run.host(left)
                left -= run.hi - run.lo + 1
        raise IndexError(f"hostlist has {self._count} hosts, not position {n}")


def decode(arg: str | Iterable[str]) -> Hostlist:
    """Reads a hostlist. Raises ValueError that names what is wrong."""
    return Hostlist(arg)


def _group(prefix: str, runs: list[Run]) -> str:
    def text(run: Run) -> str:
        first = f"{run.lo:0{run.width}d}" if run.width else ""
        return first if run.lo == run.hi else f"{first}-{run.hi:0{run.width}d}"

    inner = ",".join(map(text, runs))
    return f"{prefix}[{inner}]" if len(runs) > 1 or runs[0].lo != runs[0].hi else prefix + inner


def _without(run: Run, offset: int) -> list[Run]:
    at = run.lo + offset
    left = [run._replace(hi=at - 1)] if at > run.lo else []
    return [*left, run._replace(lo=at + 1)] if at < run.hi else left


def _sorted(hosts: Iterable[str]) -> list[str]:
    def key(host: str) -> tuple[str, bool, int, int]:
        run = _single(host)
        return run.prefix, run.width > 0, run.lo, run.width

    return sorted(hosts, key=key)


def _single(host: str) -> Run:
    match = _numbered.fullmatch(host)
    if match is None or len(match[2]) > _DIGITS:
        return Run(host)
    number = int(match[2])
    return Run(match[1], number, number, len(match[2]))


def _parse(text: str) -> Iterator[Run]:
    at = 0
    while at < len(text):
        separator = _separators.match(text, at)
        if separator is not None:
            at = separator.end()
            continue
        token = _token.match(text, at)
        if token is None or token.end() == at or (token.end() < len(text) and text[token.end()] in "[]"):
            raise Invalid(f"Invalid hostlist: '{text}'")
        at = token.end()
        yield from _runs(token[0])


def _runs(token: str) -> Iterator[Run]:
    prefix, bracket, rest = token.partition("[")
    if not bracket:
        yield _single(token)
        return
    inner, _, suffix = rest.partition("]")
    for part in inner.split(","):
        run = _run(prefix, part, token)
        if suffix:
            yield from (Run(run.host(i) + suffix) for i in range(run.hi - run.lo + 1))
        else:
            yield run


def _run(prefix: str, part: str, token: str) -> Run:
    first, dash, end = part.partition("-")
    digits = [first, end] if dash else [first]
    if not all(d.isascii() and d.isdigit() and len(d) <= _DIGITS for d in digits):
        raise Invalid(f"Invalid hostlist: '{token}': '{part}' is not a range")
    lo, hi = int(first), int(digits[-1])
    if lo > hi or hi - lo >= MAX_RUN:
        raise Invalid(f"Invalid hostlist: '{token}': '{part}' is not a range of at most {MAX_RUN} hosts")
    return Run(prefix, lo, hi, len(first))
