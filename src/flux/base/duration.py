"""Flux Standard Duration (RFC 23): "1.5m", "100ms", "inf", as seconds and back."""

from math import inf, isfinite, isinf

from flux.base.invalid import Invalid

_UNITS = (("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("d", 86400.0))


def parse_fsd(text: str) -> float:
    """Reads a duration in seconds. Raises ValueError."""
    if text.lower() in ("inf", "infinity"):
        return inf
    unit, factor = next(((u, f) for u, f in _UNITS if text.endswith(u)), ("", 1.0))
    try:
        # Underscores are Python's own idea of a number.
        number = float(text.removesuffix(unit) if "_" not in text else "")
    except ValueError:
        number = inf
    # 1/1000 is not a binary fraction: dividing gives the nearest number, multiplying does not.
    seconds = number / 1000 if unit == "ms" else number * factor
    if not isfinite(seconds) or seconds < 0:
        raise Invalid("invalid Flux standard duration")
    return seconds


def fsd(seconds: float) -> str:
    """Four digits for people: "0.500s", "59.98m"; below a millisecond "0s"."""
    if isinf(seconds):
        return "inf"
    if seconds < 0.001:
        return "0s"
    if seconds < 10:
        return f"{seconds:.3f}s"
    return _scaled(seconds, 4)


def exact_fsd(seconds: float, digits: int = 6) -> str:
    """Up to `digits` digits that `parse_fsd` reads back: "500ms" is "0.5s", "62.1ms" stays in milliseconds."""
    if isinf(seconds):
        return "infinity"
    if 0 < seconds < 0.1:
        return f"{seconds * 1000:.{digits}g}ms"
    return _scaled(seconds, digits)


def _scaled(seconds: float, digits: int) -> str:
    unit, factor = next(((u, f) for u, f in reversed(_UNITS[2:]) if seconds >= f), ("s", 1.0))
    return f"{seconds / factor:.{digits}g}{unit}"
