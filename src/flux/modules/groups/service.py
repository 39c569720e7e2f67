"""`groups`: which ranks are members of a group, known at rank 0 (flux-core's groups; private reductions below)."""

from collections.abc import Iterable
from errno import EEXIST, EINVAL, ENOENT, EPROTO
from typing import Any, ClassVar

from flux.base.idset import IDset
from flux.service import LATER, Call, Later, Service, request
from flux.wire.message import LOCAL, USER


class Groups(Service):
    """Members join on their own broker; rank 0 tells who asks, and again at each change."""

    name: ClassVar[str] = "groups"

    async def start(self) -> None:
        """Begins with no group."""
        self._members: dict[str, set[bytes]] = {}
        self._ranks: dict[str, str] = {}
        self._watching: dict[str, list[Call]] = {}

    @request()
    def join(self, call: Call, *, name: str) -> None:
        """Makes the sender's broker a member, until the sender leaves or is gone."""
        members = self._of_this_broker(call, name)
        if call.sender in members:
            raise OSError(EEXIST, f"groups: already a member of {name}")
        members.add(call.sender)
        self._tell(name)

    @request()
    def leave(self, call: Call, *, name: str) -> None:
        """Ends the sender's membership."""
        members = self._of_this_broker(call, name)
        if call.sender not in members:
            raise OSError(ENOENT, f"groups: not a member of {name}")
        members.discard(call.sender)
        self._tell(name)

    @request(allow=USER)
    def get(self, call: Call, *, name: str) -> Later | None:
        """The members of a group, now and, for who takes a stream, at each change. Only rank 0 knows them."""
        if self.host.rank:
            raise OSError(EINVAL, "groups.get is for rank 0 alone")
        call.respond({"members": self._ranks.get(name, "")})
        if not call.request.streaming:
            return None
        watching = self._watching.setdefault(name, [])
        watching.append(call)
        call.on_close = lambda: watching.remove(call)
        return LATER

    def disconnected(self, sender: bytes) -> None:
        """Who is gone is no member any more."""
        for name, members in self._members.items():
            if sender in members:
                members.discard(sender)
                self._tell(name)

    def merge(self, key: str, values: Iterable[Any]) -> str:
        """Sets of ranks become one."""
        merged = IDset()
        for value in values:
            merged.add(value)
        return str(merged)

    def reduced(self, key: str, value: Any) -> None:
        """The group has other members now."""
        self._ranks[key] = value
        for call in list(self._watching.get(key, ())):
            call.respond({"members": value})

    def _of_this_broker(self, call: Call, name: str) -> set[bytes]:
        if not call.request.rolemask & LOCAL:
            raise OSError(EPROTO, "groups: a member joins on its own broker")
        return self._members.setdefault(name, set())

    def _tell(self, name: str) -> None:
        self.contribute(name, str(self.host.rank) if self._members[name] else "")
