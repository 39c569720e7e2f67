"""The local connector: clients of this broker on a unix socket (spec: flux-core's connector-local)."""

from errno import EEXIST, EINVAL, ENOENT, EPROTO
from typing import Any, ClassVar

from flux.base.config import Access, Config
from flux.modules.api.access import roles, service_name, stamp
from flux.modules.api.client import Client
from flux.service import Call, Service, request
from flux.service.settings import allowed
from flux.wire.framing import pack
from flux.wire.message import ADMIN, OWNER, Control, Event, Message, Request, Response, refuse, respond

ACCEPTED = b"\0"
WAITING_LIMIT = 64 << 20
"""Bytes of answers that a client may leave unread before it is dropped; from 1 MiB on its requests are not read."""


class Api(Service):
    """Accepts clients, fills in who they are, passes their messages on."""

    name: ClassVar[str] = "connector-local"

    def configured(self, config: Config) -> None:
        """Notes who may connect from now on. Who has connected stays what it is."""
        self._access: Access = config.access

    async def start(self) -> None:
        """Binds the socket that the attribute local-uri names."""
        self._clients: dict[Any, Client] = {}
        self._listener: Any = None
        self._broker = self.host.port("neighbours")
        self._new_hop = self.host.port("uuid")
        path = self.host.attributes.get("local-uri").removeprefix("local://")
        self._listener = await self.host.port("listen")(path, self._connected, self._received, self._lost)

    async def stop(self) -> None:
        """Hangs up on everybody, after the answers that wait."""
        for link in list(self._clients):
            link.close("the broker is shutting down")
        if self._listener is not None:
            await self._listener.close()

    def deliver(self, msg: Message) -> None:
        """Events go to the clients that subscribed; the rest is for the service itself."""
        if not isinstance(msg, Event):
            super().deliver(msg)
            return
        packed = b""
        for link, client in list(self._clients.items()):
            if client.hears(msg):
                packed = packed or pack(msg)
                link.write(packed)
                self._limit(link)

    @request()
    def stats_get(self, call: Call) -> dict[str, Any]:
        """Message counts, and how many clients there are."""
        return super().stats_get(call) | {
            "clients": len(self._clients),
            "allow_guest_user": self._guests_may,
            "allow_root_owner": self._root_may,
        }

    # -- connections ------------------------------------------------------------------------------------------------

    def _connected(self, link: Any, uid: int, owner: int) -> None:
        """Somebody is at the socket: lets it in, or tells it why not with one byte."""
        try:
            mask = roles(uid, owner, allow_guest=self._guests_may, allow_root=self._root_may)
        except OSError as error:
            link.write(bytes((error.errno or EINVAL,)))
            link.close(str(error.strerror))
            return
        client = Client(self._new_hop(), uid, mask | self._more_roles(uid, mask))
        self._clients[link] = client
        link.on_pause = self._paused

        def deliver(msg: Message) -> None:
            if isinstance(msg, Request):
                client.asked(msg)
            link.send(msg)
            self._limit(link)

        self._broker.attach(client.hop, deliver)
        link.write(ACCEPTED)

    def _lost(self, link: Any, reason: str) -> None:
        """A client hung up, or was: nothing of it stays."""
        client = self._clients.pop(link, None)
        if client is None:
            return
        for prefix in client.subscriptions:
            self.host.unsubscribe(prefix, self.id)
        for farewell in client.farewells():
            self.host.send(farewell, client.hop)
        self._broker.detach(client.hop)

    def _paused(self, link: Any) -> None:
        """A client that does not read its answers gets no further requests in."""
        if link.paused:
            link.pause_reading()
        else:
            link.resume_reading()

    def _limit(self, link: Any) -> None:
        if link.paused and link.waiting > WAITING_LIMIT:
            link.abort("it does not read its answers")

    @property
    def _guests_may(self) -> bool:
        return allowed(self.host.attributes, "access.allow-guest-user", self._access.allow_guest_user)

    @property
    def _root_may(self) -> bool:
        return allowed(self.host.attributes, "access.allow-root-owner", self._access.allow_root_owner)

    def _more_roles(self, uid: int, mask: int) -> int:
        """What a guest is besides, by access.roles."""
        users, groups = self._access.admin_users, self._access.admin_groups
        if mask & OWNER or not (users or groups) or not self.host.port("belongs")(uid, users, groups):
            return 0
        return ADMIN

    # -- messages ---------------------------------------------------------------------------------------------------

    def _received(self, link: Any, msg: Message) -> None:
        """A client sent a message."""
        client = self._clients.get(link)
        if client is None or isinstance(msg, Control):
            return
        stamp(msg, client.userid, client.rolemask)
        if isinstance(msg, Request):
            if msg.topic in _OURS:
                self._serve_client(link, client, msg)
                return
            if not self._noted(link, client, msg):
                return
        elif isinstance(msg, Response) and not client.may_answer(msg):
            return
        elif isinstance(msg, Event):
            msg.sequence = 0
        self.host.send(msg, client.hop)

    def _noted(self, link: Any, client: Client, msg: Request) -> bool:
        """Notes whom it talks to; refuses what cannot be noted."""
        try:
            client.contacted(msg)
        except OSError as error:
            if msg.wants_answer:
                link.send(refuse(msg, error.errno or EINVAL, error.strerror or ""))
            return False
        return True

    def _serve_client(self, link: Any, client: Client, msg: Request) -> None:
        """What concerns the connection itself."""
        try:
            body = msg.body()
            key = "topic" if msg.topic.startswith("event.") else "service"
            name = body.get(key)
            if not isinstance(name, str):
                raise OSError(EPROTO, f"{msg.topic}: {key} is missing or not a string")
            getattr(self, _OURS[msg.topic])(client, name)
        except OSError as error:
            answer = refuse(msg, error.errno or EINVAL, error.strerror or "")
        else:
            answer = respond(msg)
        if msg.wants_answer:
            link.send(answer)

    def _subscribe(self, client: Client, prefix: str) -> None:
        client.subscribe(prefix)
        self.host.subscribe(prefix, self.id)

    def _unsubscribe(self, client: Client, prefix: str) -> None:
        if client.unsubscribe(prefix):
            self.host.unsubscribe(prefix, self.id)

    def _add_service(self, client: Client, name: str) -> None:
        service_name(name, client.userid, client.rolemask)
        if name in client.services:
            raise OSError(EEXIST, f"service {name} is registered already")
        client.serve(name)
        try:
            self._broker.register(name, client.hop)
        except OSError:
            client.services.discard(name)
            raise

    def _remove_service(self, client: Client, name: str) -> None:
        if not self._broker.unregister(name, client.hop):
            raise OSError(ENOENT, f"service {name} is not yours")
        client.services.discard(name)


_OURS = {
    "event.subscribe": "_subscribe",
    "event.unsubscribe": "_unsubscribe",
    "service.add": "_add_service",
    "service.remove": "_remove_service",
}
