"""Options for a submission that are in the script itself (RFC 36): lines that begin with `# flux:`. Pure."""

import re
import shlex
from collections.abc import Iterable
from typing import NamedTuple, NoReturn

_line = re.compile(r"^([^\w]*)((?:flux|FLUX):)(.*)$")
_paired = re.compile(r"(\"{3}|'{3})(.*?)\1")
_unpaired = re.compile(r"(?:\"{3}|'{3}).")
TRIPLE = ('"""', "'''")


class Directive:
    """One directive: `args` are its words, `action` is SETARGS, or NOOP for one that is empty or a comment."""

    def __init__(self, value: str, lineno: int = -1) -> None:
        """Takes what is after the sentinel, and the line that it is in. ValueError says what is wrong with it."""
        self.lineno = lineno
        lexer = shlex.shlex(value, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        lexer.escapedquotes = "\"'"
        try:
            self.args = list(lexer)
        except ValueError as error:
            raise ValueError(f"line {lineno}: {value}: {error}") from None
        if self.args and not self.args[0].startswith("-"):
            raise ValueError(f"line {lineno}: Unknown directive: {value}")
        self.action = "SETARGS" if self.args else "NOOP"

    def __str__(self) -> str:
        return f"{self.action}({self.args})"


class Block:
    """A text of several lines, between triple quotes that each end a line."""

    def __init__(self, first: str, lineno: int) -> None:
        self.start, self.lineno = first.lstrip(), lineno
        self._quote = first[-3:]
        self._indent = first[: -len(self.start)]
        self._before = self.start[:-3]
        self._lines: list[str] = []

    def add(self, line: str) -> str | None:
        """Takes a line; returns the whole, as a shell quotes it, if that was the last one. ValueError for one that
        ends in the midst of a text."""
        plain = line.removeprefix(self._indent)
        if not line.endswith(self._quote):
            self._lines.append(plain)
            return None
        whole = self._before + shlex.quote("\n".join([*self._lines, plain[:-3]]))
        if self._quote in whole:
            raise ValueError(f"improperly terminated triple quoted string at: `{self.start}'")
        return whole


class Sentinel(NamedTuple):
    """What all directives of a file begin with."""

    prefix: str
    tag: str

    def __str__(self) -> str:
        return self.prefix + self.tag


class DirectiveParser:
    """Reads a script: `directives` are those that are in it, in order, `script` is all of it."""

    def __init__(self, inputfile: Iterable[str]) -> None:
        """Takes an open file, or lines. ValueError names the line that is wrong, and why."""
        self.directives: list[Directive] = []
        self.script = ""
        self._sentinel: Sentinel | None = None
        self._last = 0
        """The line after which there may be no more directives, if there is one."""
        self._block: Block | None = None
        for lineno, line in enumerate(inputfile, 1):
            self.script += line
            match = _line.match(line)
            if match is None:
                self._other(line, lineno)
            else:
                self._directive(Sentinel(match[1], match[2]), match[3], lineno)
        if self._block is not None:
            self._unterminated("at the end")

    def _other(self, line: str, lineno: int) -> None:
        """A line that is no directive: what is neither empty nor a comment ends them."""
        if self._block is not None:
            self._unterminated(f"line {lineno}")
        begun = self._sentinel is not None and line.strip() and not self._last
        if begun and self._sentinel is not None and not line.startswith(self._sentinel.prefix.rstrip()):
            self._last = lineno - 1

    def _unterminated(self, where: str) -> NoReturn:
        assert self._block is not None
        begun = f"line {self._block.lineno}: `{self._block.start}'"
        raise ValueError(f"{where}: unterminated multi-line quote at {begun}")

    def _directive(self, sentinel: Sentinel, value: str, lineno: int) -> None:
        if self._last:
            after = f"directives disabled after line {self._last}"
            raise ValueError(f"line {lineno}: orphan '{sentinel.tag}' detected: {after}")
        self._sentinel = self._sentinel or sentinel
        if sentinel != self._sentinel:
            raise ValueError(
                f"line {lineno}: sentinel changed from '{self._sentinel}' to '{sentinel}'; all directives of a file "
                f"begin alike. To disable this one, write: {self._sentinel} # {value.lstrip()}"
            )
        try:
            self._take(_quoted(value), lineno)
        except _Misplaced as error:
            raise ValueError(f"line {lineno}: {error}") from None

    def _take(self, value: str, lineno: int) -> None:
        if self._block is not None:
            whole = self._block.add(value)
            if whole is not None:
                begun, self._block = self._block.lineno, None
                self.directives.append(Directive(whole, begun))
        elif value.endswith(TRIPLE):
            self._block = Block(value, lineno)
        elif value:
            self.directives.append(Directive(value, lineno))


class _Misplaced(ValueError):
    """A triple quote that neither is one of a pair nor ends its line."""


def _quoted(value: str) -> str:
    """The same with texts between triple quotes as a shell quotes them."""
    if any(count and count % 2 == 0 for count in map(value.count, TRIPLE)):
        return _paired.sub(lambda match: shlex.quote(match[2]), value)
    if _unpaired.search(value):
        raise _Misplaced(f"unclosed triple quote: {value.strip()}")
    return value
