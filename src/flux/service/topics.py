"""From the methods of a service to its topics: what each takes, who may call it, how its arguments are checked."""

import inspect
from collections.abc import Callable
from errno import EPROTO
from typing import Any, TypeVar, get_type_hints

import msgspec

from flux.wire.message import OWNER, Data, Request

F = TypeVar("F", bound=Callable[..., Any])
ALL = 0xFFFFFFFF


class Topic:
    """One method of a service, seen from the wire."""

    __slots__ = ("_decode", "_names", "_shape", "allow", "function", "raw", "stream")

    def __init__(self, function: Callable[..., Any], allow: int, raw: bool, stream: bool) -> None:
        self.function, self.allow, self.raw, self.stream = function, allow, raw, stream
        self._names, shape = ((), None) if raw else _arguments(function)
        self._shape = shape
        self._decode = msgspec.json.Decoder(shape).decode if shape else None

    def arguments(self, data: Data) -> dict[str, Any]:
        """Reads the keyword arguments from a payload. OSError(EPROTO) names the key that is wrong."""
        if self._shape is None or self._decode is None:
            return {}
        try:
            if isinstance(data, bytes):
                shape = self._decode(data[:-1] if data.endswith(b"\0") else data)
            else:
                shape = msgspec.convert(data or {}, self._shape)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
            raise OSError(EPROTO, f"bad payload: {error}") from None
        return dict(zip(self._names, msgspec.structs.astuple(shape), strict=True))

    def permits(self, request: Request) -> bool:
        """Whether the sender's roles are enough (RFC 12: the owner may do everything)."""
        return bool(request.rolemask & (self.allow | OWNER))


def request(
    topic: str = "", *, allow: int = OWNER, raw: bool = False, stream: bool = False
) -> Callable[[F], F]:
    """Marks a method as a request handler.

    `topic` is its last words when they are not the method's name; `allow` the roles besides the owner; a `raw` method
    takes the payload as bytes, as its one argument `payload`; a `stream` method refuses callers that do not take a stream.
    """

    def mark(function: F) -> F:
        name = topic or function.__name__.replace("_", "-")
        function.__dict__["topic"] = (name, Topic(function, allow, raw, stream))
        return function

    return mark


def event(prefix: str) -> Callable[[F], F]:
    """Marks a method as the handler of events whose topic begins with `prefix`; it gets the Event."""

    def mark(function: F) -> F:
        function.__dict__["event"] = prefix
        return function

    return mark


def every(seconds: float) -> Callable[[F], F]:
    """Marks a method that the kit calls again and again, `seconds` apart."""

    def mark(function: F) -> F:
        function.__dict__["every"] = seconds
        return function

    return mark


def _arguments(function: Callable[..., Any]) -> tuple[tuple[str, ...], type[msgspec.Struct] | None]:
    """Makes the struct that a payload must match, from a method's keyword-only arguments."""
    hints = get_type_hints(function)
    fields: list[Any] = []
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            continue
        kind = hints.get(name, Any)
        plain = parameter.default is inspect.Parameter.empty
        fields.append((name, kind) if plain else (name, kind, parameter.default))
    shape = msgspec.defstruct(function.__qualname__, fields, kw_only=True, gc=False)
    return tuple(field[0] for field in fields), shape
