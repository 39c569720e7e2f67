"""What two sessions cannot have in common is made alike. Pure."""

import re
from typing import NamedTuple

RULES = tuple(
    (re.compile(pattern, re.MULTILINE), instead)
    for pattern, instead in (
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", "TIME"),
        (r"time=[\d.]+ ms", "time=T ms"),
        (r"(?<= for )[\d.]+(?:ms|[smhd])", "T"),
        (r"(?<=\()[\d.]+ ms(?=\))", "T ms"),
        (r'(?<="duration": )[\d.e-]+', "T"),
        (r"^[\d.]+ms:", "T:"),
        (r"\([0-9a-f]{8}(?:![0-9a-f]{8})*\)", "(ROUTE)"),
        (r"(?<=local://)/\S*/flux-\w+(?=/local-)", "RUNDIR"),
        (r"^seq=\d+$", "seq=N"),
        (r"[ \t]+$", ""),
    )
)


class Said(NamedTuple):
    """What came of a case."""

    code: int
    out: str
    err: str

    def lines(self, *, reworded: bool = False) -> list[str]:
        """All of it as lines to compare with those of another session; `reworded`: of errors only who says them."""
        out = [f"out: {line}" for line in normal(self.out).splitlines()]
        errors = [line.partition(":")[0] if reworded else line for line in normal(self.err).splitlines()]
        return [f"exit {self.code}", *out, *(f"err: {line}" for line in errors)]


def normal(text: str) -> str:
    """The text without times, addresses and trailing blanks."""
    for pattern, instead in RULES:
        text = pattern.sub(instead, text)
    return text
