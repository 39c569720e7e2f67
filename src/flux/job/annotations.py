"""The parts of a job's description that are more than a number or a text: annotations, exceptions, dependencies."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlparse


class Exceptional(NamedTuple):
    """The worst exception of a job."""

    occurred: Any
    severity: Any
    type: Any
    note: Any


class Nothing:
    """What there is not: empty text, whatever is asked of it."""

    def __getattr__(self, name: str) -> "Nothing":
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __repr__(self) -> str:
        return ""

    def __bool__(self) -> bool:
        return False

    def __format__(self, spec: str) -> str:
        return format("", spec.rstrip("bcdoxXeEfFgGn%"))


class Annotations:
    """Annotations as attributes: `annotations.user.color`. What there is not is empty."""

    def __init__(self, told: Mapping[str, Any]) -> None:
        self.told = told

    @property
    def annotationsDict(self) -> Mapping[str, Any]:
        """All of them as they came."""
        return self.told

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        found = self.told.get(name, Nothing())
        return Annotations(found) if isinstance(found, Mapping) else found

    def __repr__(self) -> str:
        from json import dumps

        return dumps(self.told) if self.told else ""


class Dependencies(list[str]):
    """What a job waits for (RFC 26)."""

    def __init__(self, told: Iterable[str]) -> None:
        super().__init__(_begin(one) if one.startswith("begin-time=") else one for one in told)

    def __str__(self) -> str:
        return ",".join(self)


def _begin(text: str) -> str:
    """When it may begin, as people read it."""
    from datetime import datetime

    when = datetime.fromtimestamp(float(text.partition("=")[2])).astimezone()
    today = when.date() == datetime.now().astimezone().date()
    return f"begin@{when:%H:%M}" if today else f"begin@{when:%b%d-%H:%M}"


class JobURI(str):
    """Where to connect to an instance: text, with the same as seen from its own host, and from others."""

    @property
    def local(self) -> "JobURI":
        """On its own host: local://PATH."""
        return JobURI(f"local://{urlparse(self).path}")

    @property
    def remote(self) -> "JobURI":
        """From elsewhere: ssh://HOST/PATH. A local one is of this host."""
        if not self.startswith("local:"):
            return self
        from os import uname

        return JobURI(f"ssh://{uname().nodename}{urlparse(self).path}")
