"""A configuration (flux-config(5)): tables that are known are read and checked, all others kept for who knows them.

Pure: whoever reads files hands over their texts. What is wrong is one line that names file, line and key.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TypeVar

from flux.base.config import bootstrap as _bootstrap
from flux.base.config import settings
from flux.base.config.bootstrap import Bootstrap, Host, event_end
from flux.base.config.lines import Path
from flux.base.config.settings import Access, Heartbeat, Live, Tbon
from flux.base.config.source import Source, Values, complaint, from_json, from_toml, merged
from flux.base.config.table import Table

__all__ = [
    "Access",
    "Bootstrap",
    "Config",
    "Heartbeat",
    "Host",
    "Live",
    "Source",
    "Tbon",
    "event_end",
    "from_json",
    "from_toml",
    "joined",
]

T = TypeVar("T")


class Config:
    """One configuration. Equal ones have the same values, wherever these are from."""

    def __init__(self, values: Values | None = None, sources: Sequence[Source] = ()) -> None:
        self.values: Values = {} if values is None else values
        """All of it, as config.get answers it; not to be changed."""
        self._sources = sources

    def check(self) -> None:
        """Refuses what is wrong with the tables that are known: OSError(EINVAL)."""
        for name in ("access", "bootstrap", "tbon", "heartbeat", "live"):
            getattr(self, name)

    def has(self, name: str) -> bool:
        """Whether there is a table of that name."""
        return name in self.values

    def complaint(self, path: Path, reason: str) -> OSError:
        """What to raise about a key."""
        return complaint(self._sources, path, reason)

    def table(self, name: str) -> Table:
        """A table to be read key by key; an empty one if it is not there."""
        return Table(self.values.get(name, {}), (name,), self.complaint)

    @cached_property
    def access(self) -> Access:
        """`[access]`."""
        return self._read("access", settings.access)

    @cached_property
    def bootstrap(self) -> Bootstrap:
        """`[bootstrap]`."""
        return self._read("bootstrap", _bootstrap.bootstrap)

    @cached_property
    def tbon(self) -> Tbon:
        """`[tbon]`."""
        return self._read("tbon", settings.tbon)

    @cached_property
    def heartbeat(self) -> Heartbeat:
        """`[heartbeat]`."""
        return self._read("heartbeat", settings.heartbeat)

    @cached_property
    def live(self) -> Live:
        """`[live]`."""
        return self._read("live", settings.live)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Config) and self.values == other.values

    __hash__ = None  # type: ignore[assignment]

    def _read(self, name: str, read: Callable[[Table], T]) -> T:
        return read(self.table(name))


def joined(*sources: Source) -> Config:
    """The configuration that several texts make up; the later ones prevail."""
    return Config(merged(sources), sources)
