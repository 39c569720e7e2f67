"""Figures about a series of numbers, without keeping them."""

from math import sqrt


class Tally:
    """Count, extremes, mean and deviation."""

    __slots__ = ("_m2", "count", "greatest", "least", "mean")

    def __init__(self) -> None:
        self.count = 0
        self.least = self.greatest = 0
        self.mean = self._m2 = 0.0

    def add(self, value: int) -> None:
        """Takes one more number (Welford's way)."""
        self.least = min(self.least, value) if self.count else value
        self.greatest = max(self.greatest, value) if self.count else value
        self.count += 1
        off = value - self.mean
        self.mean += off / self.count
        self._m2 += off * (value - self.mean)

    def figures(self, scale: float = 1.0) -> dict[str, float]:
        """The figures, each times `scale`."""
        deviation = sqrt(self._m2 / (self.count - 1)) if self.count > 1 else 0.0
        return {
            "count": self.count,
            "min": int(self.least * scale),
            "mean": self.mean * scale,
            "stddev": deviation * scale,
            "max": int(self.greatest * scale),
        }
