"""`groups`: which ranks are members of a group, known at rank 0 (flux-core's groups; private reductions below)."""

from collections.abc import Iterable
from errno import EEXIST, ENOENT, EPROTO
from typing import Any, ClassVar

from flux.base.idset import IDset
from flux.service import ALL, LATER, Call, Later, Service, request
from flux.wire.message import LOCAL, USER


class Groups(Service):
    """A rank is a member while somebody on it wants it to be; rank 0 tells who asks, and again at each change."""

    name: ClassVar[str] = "groups"

    async def start(self) -> None:
        """Begins with no group."""
        self._joined: dict[str, bytes] = {}
        self._members: dict[str, str] = {}
        self._watching: dict[str, list[Call]] = {}

    @request()
    def join(self, call: Call, *, name: str) -> None:
        """Makes this rank a member, until the sender leaves or is gone."""
        self._only_local(call)
        if name in self._joined:
            raise OSError(EEXIST, f"rank {self.host.rank} is already a member of {name}")
        self._joined[name] = call.sender
        self.contribute(name, str(self.host.rank))

    @request()
    def leave(self, call: Call, *, name: str) -> None:
        """Ends this rank's membership."""
        self._only_local(call)
        if name not in self._joined:
            raise OSError(ENOENT, f"rank {self.host.rank} is not a member of {name}")
        self._leave(name)

    @request()
    def tell(self, call: Call, *, name: str, ranks: list[int]) -> None:
        """This broker says which ranks are members of a group that is told from without (ours: broker.torpid)."""
        self._only_local(call)
        if name in self._joined:
            raise OSError(EEXIST, f"rank {self.host.rank} is a member of {name} by its own will")
        self.contribute(name, str(IDset(ranks)))

    @request(allow=USER)
    def get(self, call: Call, *, name: str) -> Later | dict[str, str]:
        """The members of a group; to who takes a stream, again at each change. Only rank 0 knows them."""
        if self.host.rank:
            raise OSError(EPROTO, "this RPC is only available on rank 0")
        members = {"members": self._members.get(name, "")}
        if not call.request.streaming:
            return members
        call.respond(members)
        self._watching.setdefault(name, []).append(call)
        call.on_close = lambda: self._watched(name, call)
        return LATER

    @request(allow=ALL)
    def stats_get(self, call: Call) -> dict[str, Any]:
        """The members of all groups at rank 0; elsewhere what this broker is a member of itself."""
        own = {name: str(self.host.rank) for name in self._joined}
        return {"subtree": own if self.host.rank else self._members}

    def disconnected(self, sender: bytes) -> None:
        """Who is gone is no member any more."""
        for name in [name for name, who in self._joined.items() if who == sender]:
            self._leave(name)

    def merge(self, key: str, values: Iterable[Any]) -> str:
        """Sets of ranks become one."""
        merged = IDset()
        for value in values:
            merged.add(value)
        return str(merged)

    def reduced(self, key: str, value: Any) -> None:
        """The group has other members now."""
        self._members[key] = value
        if not value:
            del self._members[key]
        for call in list(self._watching.get(key, ())):
            call.respond({"members": value})

    def _only_local(self, call: Call) -> None:
        if not call.request.rolemask & LOCAL:
            raise OSError(EPROTO, f"{call.request.topic} is restricted to the local broker")

    def _leave(self, name: str) -> None:
        del self._joined[name]
        self.take_back(name)

    def _watched(self, name: str, call: Call) -> None:
        """Somebody follows a group no more."""
        watching = self._watching[name]
        watching.remove(call)
        if not watching:
            del self._watching[name]
