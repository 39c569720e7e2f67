"""`attr`: the broker's attributes, to read for all, to change for the owner."""

from errno import EINVAL
from typing import Any, ClassVar

from flux.service import ALL, Call, Service, request


class Attr(Service):
    """Serves the attribute table of this broker."""

    name: ClassVar[str] = "attr"

    @request(allow=ALL)
    def get(self, call: Call, *, name: str) -> dict[str, Any]:
        """An attribute's value; flag 1 says that it never changes."""
        table = self.host.attributes
        return {"value": table.get(name), "flags": table.flags(name)}

    @request()
    def set(self, call: Call, *, name: str, value: str, force: bool = False) -> None:
        """Sets an attribute, makes a new one; EPERM for one that is immutable, EINVAL for a value that does not fit."""
        if not name:
            raise OSError(EINVAL, "an attribute needs a name")
        self.host.attributes.set(name, value, force=force)

    @request()
    def rm(self, call: Call, *, name: str) -> None:
        """Removes an attribute, if it is there; EPERM for one that is immutable or in use."""
        self.host.attributes.remove(name)

    @request("list", allow=ALL)
    def all(self, call: Call) -> dict[str, Any]:
        """All names, sorted."""
        return {"names": self.host.attributes.names()}
