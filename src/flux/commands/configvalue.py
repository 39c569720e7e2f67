"""The values of a configuration as `flux config` shows and takes them, each of one of today's types."""

from errno import EINVAL
from typing import Any

from flux.base.duration import parse_fsd

KINDS: dict[str, type | None] = {
    "any": None,
    "string": str,
    "integer": int,
    "real": float,
    "boolean": bool,
    "object": dict,
    "array": list,
    "fsd": str,
    "fsd-integer": str,
    "fsd-real": str,
}
TYPES_HELP = "what it must be: " + ", ".join(KINDS)
FALSE = ("", "0", "f", "F")
"""How a boolean begins that is false."""


def check_type(name: str) -> None:
    """OSError(EINVAL) for a type that there is not."""
    if name.lower() not in KINDS:
        raise OSError(EINVAL, f"Unknown type: {name}")


def shown(value: Any, kind: str, name: str) -> str:
    """A value as text: a string bare, all else as JSON. OSError(EINVAL) if it is not of that type."""
    kind = kind.lower()
    wanted = KINDS[kind]
    if wanted is not None and type(value) is not wanted:
        raise _wrong_type(name)
    if kind.startswith("fsd"):
        return _duration(value, kind, name)
    return value if isinstance(value, str) else _json(value)


def type_of(value: Any) -> str:
    """The name of a value's type."""
    return next((name for name, kind in KINDS.items() if type(value) is kind), "any")


def read(text: str, kind: str) -> Any:
    """A value from the command line. OSError(EINVAL) if it is not of that type."""
    check_type(kind)
    kind = kind.lower()
    if kind in ("any", "fsd-integer", "fsd-real"):
        raise OSError(EINVAL, f"'{kind}' is not a type that a value can be set to")
    if kind == "boolean":
        return text[:1] not in FALSE
    try:
        return _READERS[kind](text)
    except ValueError:
        raise OSError(EINVAL, f"'{text}' is not of the type {kind}") from None


def _duration(value: str, kind: str, name: str) -> str:
    try:
        seconds = parse_fsd(value)
    except ValueError:
        raise _wrong_type(name) from None
    match kind:
        case "fsd-integer":
            return str(int(seconds)) if seconds < float("inf") else "inf"
        case "fsd-real":
            return f"{seconds:f}"
    return value


def _json(value: Any) -> str:
    from json import dumps

    return dumps(value, separators=(",", ":"), ensure_ascii=False)


def _string(text: str) -> Any:
    return _of_kind(text, str) if text.startswith('"') else text


def _fsd(text: str) -> str:
    parse_fsd(text)
    return text


def _of_kind(text: str, kind: type) -> Any:
    from json import loads

    value = loads(text)
    if type(value) is not kind:
        raise ValueError
    return value


_READERS: dict[str, Any] = {
    "string": _string,
    "integer": lambda text: int(text, 0),
    "real": float,
    "object": lambda text: _of_kind(text, dict),
    "array": lambda text: _of_kind(text, list),
    "fsd": _fsd,
}


def _wrong_type(name: str) -> OSError:
    return OSError(EINVAL, f"{name} does not have the requested type")
