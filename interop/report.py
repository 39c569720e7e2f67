"""What came of all cases, as a table."""

from collections.abc import Sequence

from interop.outcome import Outcome
from interop.words import Differing

HEADS = ("their command", "our command", "same words")
UNDER = ("our broker", "their broker", "")


def report(outcomes: Sequence[Outcome], *, verbose: bool = False) -> list[str]:
    """A line for each case, beneath it the lines that differ; at the end how many."""
    lines = [_line(HEADS, "case"), _line(UNDER, "")]
    for outcome in outcomes:
        known = isinstance(outcome.case, Differing)
        verdicts = [_verdict(found, known) for found in (outcome.broker, outcome.command)]
        lines.append(_line((*verdicts, "" if not outcome.words else "no"), outcome.case))
        if isinstance(outcome.case, Differing):
            lines.append(f"      {outcome.case.why}" + ("" if outcome.differs else ": no longer"))
        if verbose or not known:
            lines += _beneath("our broker", outcome.broker) + _beneath("our command", outcome.command)
        if verbose:
            lines += _beneath("words", outcome.words)
    return [*lines, summary(outcomes)]


def summary(outcomes: Sequence[Outcome]) -> str:
    """How many passed and failed."""
    failed = len(failures(outcomes))
    meant = sum(isinstance(outcome.case, Differing) and outcome.differs for outcome in outcomes)
    passed = f"{len(outcomes)} cases, {len(outcomes) - failed - meant} passed, {failed} failed"
    return f"{passed}, {meant} meant to differ" if meant else passed


def failures(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Those that differ where they should not, or do not where they should."""
    return [outcome for outcome in outcomes if outcome.differs != isinstance(outcome.case, Differing)]


def _verdict(found: list[str], known: bool) -> str:
    if not found:
        return "pass"
    return "differs" if known else "FAIL"


def _line(columns: tuple[str, ...], case: str) -> str:
    return "".join(f"{column:15}" for column in columns) + case


def _beneath(where: str, differing: list[str]) -> list[str]:
    return [f"      {where}: {line}" for line in differing]
