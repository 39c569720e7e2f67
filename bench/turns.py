"""Taking turns: A B A B, so that what else the machine does meets both alike."""

import subprocess
from collections.abc import Callable, Iterable, Sequence
from statistics import median

from bench.benches import BENCHES, Found
from bench.contender import Contender, Value
from bench.figures import FIGURES

Samples = dict[str, list[Value]]
"""What was found, turn by turn."""

Say = Callable[[str], None]


def measure(contenders: Sequence[Contender], benches: Iterable[str], turns: int, say: Say) -> list[Samples]:
    """All benches of these names, `turns` times each, for each contender in turn."""
    found: list[Samples] = [{} for _ in contenders]
    for bench in benches:
        for turn in range(turns):
            for contender, samples in zip(contenders, found, strict=True):
                say(f"{bench}, turn {turn + 1} of {turns}: {contender.flux}")
                for figure, value in once(bench, contender, say).items():
                    samples.setdefault(figure, []).append(value)
    return found


def once(bench: str, contender: Contender, say: Say) -> Found:
    """One bench, once; a failure is told and is no reason to stop."""
    try:
        return BENCHES[bench](contender)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        say(f"{bench} failed: {error}")
        return {figure.name: "failed" for figure in FIGURES if figure.bench == bench}


def middle(values: Sequence[Value]) -> Value:
    """The median of what was measured, else the first word about why nothing was."""
    numbers = [value for value in values if not isinstance(value, str)]
    return median(numbers) if numbers else next(iter(values), "not measured")
