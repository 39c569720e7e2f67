"""From the methods of a service to its topics: what each takes, who may call it, how its arguments are checked."""

import inspect
from collections.abc import Callable
from errno import EPROTO
from types import FunctionType
from typing import Any, NamedTuple, TypeVar, get_type_hints

import msgspec

from flux.wire.message import OWNER, Request

F = TypeVar("F", bound=Callable[..., Any])
ALL = 0xFFFFFFFF
"""For `allow`: whoever may connect."""


class Topic:
    """One method of a service, seen from the wire."""

    __slots__ = ("_decode", "_shape", "function", "roles", "stream")

    def __init__(self, function: Callable[..., Any], allow: int, raw: bool, stream: bool) -> None:
        self.function, self.stream = function, stream
        self.roles = allow | OWNER
        """Any one of these is enough (RFC 12: the owner may do everything)."""
        self._shape = None if raw else _shape(function)
        self._decode = msgspec.json.Decoder(self._shape).decode if self._shape else None

    def arguments(self, request: Request) -> dict[str, Any]:
        """Reads the keyword arguments from a request. OSError(EPROTO) names the key that is wrong."""
        if self._shape is None or self._decode is None:
            return {"payload": request.payload() or b""}
        data = request.data
        try:
            if isinstance(data, bytes):
                return msgspec.structs.asdict(self._decode(data[:-1] if data.endswith(b"\0") else data))
            return msgspec.structs.asdict(msgspec.convert(data or {}, self._shape))
        except UnicodeDecodeError:
            raise OSError(EPROTO, "bad payload: not UTF-8") from None
        except (msgspec.MsgspecError, RecursionError) as error:
            raise OSError(EPROTO, f"bad payload: {error}") from None


class Marks(NamedTuple):
    """The marked methods of a class: topics, handlers of events by prefix, periods in seconds by method."""

    topics: dict[str, Topic]
    prefixes: dict[str, str]
    periods: dict[str, float]


def request(topic: str = "", *, allow: int = OWNER, raw: bool = False, stream: bool = False) -> Callable[[F], F]:
    """Marks a method as a request handler.

    `topic` is its last words when they are not the method's name; `allow` the roles besides the owner. A `raw` method
    takes the payload as bytes, as its one argument `payload`. A `stream` method refuses who does not take a stream.
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


def marks(service: type, name: str) -> Marks:
    """Finds the marked methods of a service class, its bases' among them. A topic with a period is a whole one."""
    found = Marks({}, {}, {})
    for method in dir(service):
        function = getattr(service, method)
        if not isinstance(function, FunctionType):
            continue
        if "topic" in function.__dict__:
            topic, handler = function.__dict__["topic"]
            found.topics[topic if "." in topic else f"{name}.{topic}"] = handler
        if "event" in function.__dict__:
            found.prefixes[function.__dict__["event"]] = method
        if "every" in function.__dict__:
            found.periods[method] = function.__dict__["every"]
    return found


def check_names(service: type, kit: type, hooks: frozenset[str]) -> None:
    """Raises TypeError when a service has a method that hides one of the kit's and is not meant to."""
    for name, function in vars(service).items():
        hidden = getattr(kit, name, None)
        if not isinstance(function, FunctionType) or not isinstance(hidden, FunctionType):
            continue
        if name not in hooks and "topic" not in hidden.__dict__:
            raise TypeError(f"{service.__name__}.{name} hides a method of Service: name it otherwise")


def _shape(function: Callable[..., Any]) -> type[msgspec.Struct]:
    """Makes the struct that a payload must match, from a method's keyword-only arguments."""
    hints = get_type_hints(function)
    fields: list[Any] = []
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            continue
        kind = hints.get(name, Any)
        plain = parameter.default is inspect.Parameter.empty
        fields.append((name, kind) if plain else (name, kind, parameter.default))
    return msgspec.defstruct(function.__qualname__, fields, kw_only=True, gc=False)
