"""The ports through which a service reaches its broker and the world. A broker, or a test, stands behind them."""

from collections.abc import Callable
from typing import Any, Protocol

from flux.runtime.database_port import Connection, Database, Slices, Told, Work
from flux.runtime.shelf_port import Bucket, Shelf
from flux.runtime.spawn_port import AS_THE_BROKER, STDIO, Conditions, Process, Spawn, Watcher
from flux.wire.message import Message

__all__ = [
    "AS_THE_BROKER",
    "STDIO",
    "Attributes",
    "Bucket",
    "Conditions",
    "Connection",
    "Database",
    "Host",
    "Process",
    "Shelf",
    "Slices",
    "Spawn",
    "Timer",
    "Told",
    "Watcher",
    "Work",
]


class Attributes(Protocol):
    """The broker's attributes, as text (flux-broker-attributes(7))."""

    def get(self, name: str) -> str: ...  # OSError(ENOENT) for an unknown name
    def flags(self, name: str) -> int: ...  # 1 for one that never changes
    def names(self) -> list[str]: ...
    def remove(self, name: str) -> None: ...
    def set(self, name: str, value: str, *, force: bool = False) -> None: ...
    def fix(self, name: str, value: str) -> None: ...  # sets it for good
    def watch(self, name: str, told: Callable[[str], None]) -> None: ...  # told before it is set, or refuses (EINVAL)
    def unwatch(self, name: str, told: Callable[[str], None]) -> None: ...


class Timer(Protocol):
    """Something that will be called, unless it is cancelled."""

    def cancel(self) -> None: ...


class Host(Protocol):
    """What a broker is to a service that it hosts."""

    rank: int
    size: int
    uuid: str
    hostname: str
    attributes: Attributes
    spawn: Spawn

    def send(self, msg: Message, sender: bytes) -> None: ...  # routes it as coming from `sender`
    def subscribe(self, prefix: str, sender: bytes) -> None: ...
    def unsubscribe(self, prefix: str, sender: bytes) -> None: ...
    def log(self, level: int, app: str, text: str) -> None: ...
    def now(self) -> float: ...  # seconds on a clock that never goes back
    def wall(self) -> float: ...  # seconds since 1970
    def after(self, seconds: float, do: Callable[[], None]) -> Timer: ...
    def rusage(self, who: str) -> dict[str, Any]: ...  # getrusage(2) of self, children or thread
    def last_event(self) -> int: ...  # the number of the last event that this broker has seen
    def parent(self) -> bytes: ...  # the link to the parent, b"" on rank 0
    def port(self, name: str) -> Any: ...  # a further port by name; OSError(ENOSYS) where there is none
