"""What came of all cases, as a table."""

from collections.abc import Sequence

from interop.outcome import Outcome

HEADS = ("their command", "our command", "same words")
UNDER = ("our broker", "their broker", "")


def report(outcomes: Sequence[Outcome], *, verbose: bool = False) -> list[str]:
    """A line for each case, beneath it the lines that differ; at the end how many."""
    lines = [_line(HEADS, "case"), _line(UNDER, "")]
    for outcome in outcomes:
        verdicts = (_verdict(outcome.broker), _verdict(outcome.command), "" if not outcome.words else "no")
        lines.append(_line(verdicts, outcome.case))
        lines += _beneath("our broker", outcome.broker) + _beneath("our command", outcome.command)
        if verbose:
            lines += _beneath("words", outcome.words)
    return [*lines, summary(outcomes)]


def summary(outcomes: Sequence[Outcome]) -> str:
    """How many passed and failed."""
    failed = len(failures(outcomes))
    return f"{len(outcomes)} cases, {len(outcomes) - failed} passed, {failed} failed"


def failures(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Those that differ where they should not."""
    return [outcome for outcome in outcomes if outcome.broker or outcome.command]


def _verdict(differing: list[str]) -> str:
    return "FAIL" if differing else "pass"


def _line(columns: tuple[str, ...], case: str) -> str:
    return "".join(f"{column:15}" for column in columns) + case


def _beneath(where: str, differing: list[str]) -> list[str]:
    return [f"      {where}: {line}" for line in differing]
