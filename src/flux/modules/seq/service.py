"""`seq`: named sequences of numbers at rank 0, to draw unique ones from (2016's sequence service)."""

from errno import EAGAIN, ENOENT
from typing import Any, ClassVar

from flux.service import ALL, Call, Service, request


class Seq(Service):
    """Counts. It is at rank 0 alone: requests of other ranks come up the tree."""

    name: ClassVar[str] = "seq"

    async def start(self) -> None:
        """Begins with no sequence."""
        self._values: dict[str, int] = {}

    @request()
    def fetch(self, call: Call, *, name: str, create: bool, preincrement: int, postincrement: int) -> dict[str, Any]:
        """Adds `preincrement`, answers the value, adds `postincrement`. A sequence begins at 0 if it is to be created.

        Answers {name, value}, and created: true by who made it. ENOENT if there is none and none is to be made.
        """
        if not create:
            self._check(name)
        made = name not in self._values
        value = self._values.get(name, 0) + preincrement
        self._values[name] = value + postincrement
        return {"name": name, "value": value} | ({"created": True} if made else {})

    @request()
    def set(self, call: Call, *, name: str, value: int, oldvalue: int | None = None) -> dict[str, Any]:
        """Sets a sequence, if `oldvalue` is given only if it stands there (else EAGAIN). ENOENT if there is none."""
        self._check(name)
        if oldvalue is not None and oldvalue != self._values[name]:
            raise OSError(EAGAIN, f"sequence {name} is at {self._values[name]}, not at {oldvalue}")
        self._values[name] = value
        return {"name": name, "set": True, "value": value}

    @request()
    def destroy(self, call: Call, *, name: str) -> dict[str, Any]:
        """Forgets a sequence. ENOENT if there is none."""
        self._check(name)
        del self._values[name]
        return {"name": name, "destroyed": True}

    @request(allow=ALL)
    def stats_get(self, call: Call) -> dict[str, Any]:
        """Message counts, and how many sequences there are."""
        return super().stats_get(call) | {"sequences": len(self._values)}

    def _check(self, name: str) -> None:
        if name not in self._values:
            raise OSError(ENOENT, f"there is no sequence {name}")
