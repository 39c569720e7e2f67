"""A broker with the local connector, and clients of any user id on socket pairs, in one process and in real time."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

from flux.base.config import Config
from flux.modules.api.service import Api
from flux.runtime.stream import StreamLink
from flux.service.configuration import Configuration
from flux.testing.instance import SimInstance
from flux.wire.message import ANY, UNKNOWN, Data, Message, Request, Response

OWNER_ID, LONGEST = 1000, 30
"""The user id of the broker, and the seconds after which a test has failed."""


class Caller:
    """A client."""

    def __init__(self) -> None:
        self.came: asyncio.Queue[Message] = asyncio.Queue()
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.link = StreamLink(lambda link, msg: self.came.put_nowait(msg), self._lost)
        self.accepted = -1
        self._tag = 0

    async def next(self) -> Any:
        """The next message."""
        return await self.came.get()

    def ask(self, topic: str, data: Data = None, *, nodeid: int = ANY, flags: int = 0, **who: int) -> int:
        """Sends a request; returns its matchtag."""
        self._tag += 1
        asked = Request(who.get("userid", UNKNOWN), who.get("rolemask", 0), flags, topic, data, nodeid, self._tag)
        self.link.send(asked)
        return self._tag

    async def rpc(self, topic: str, data: Data = None, **how: int) -> Any:
        """Asks, and waits for the answer, which must be the next message."""
        tag = self.ask(topic, data, **how)
        answer = await self.next()
        assert isinstance(answer, Response) and answer.matchtag == tag
        return answer

    def _lost(self, link: StreamLink, reason: str) -> None:
        self.lost.set_result(reason)


class Connector:
    """Where clients connect. It stands in for the socket that the connector would bind."""

    def __init__(self, flux: SimInstance) -> None:
        self.broker = flux[0].broker
        self.host = flux[0].host
        self.attributes = flux[0].attributes
        self.links: list[StreamLink] = []
        """The broker's ends, oldest first."""
        self._callers: list[Caller] = []

    async def listen(self, path: str, connected: Any, received: Any, lost: Any) -> "Connector":
        """The port that the connector gets."""
        self._connected, self._received, self._lost = connected, received, lost
        return self

    async def raw(self, uid: int = OWNER_ID) -> socket.socket:
        """Connects; nobody reads or writes there unless the test does."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        _, link = await asyncio.get_running_loop().create_connection(
            lambda: StreamLink(self._received, self._lost), sock=theirs
        )
        self.links.append(link)
        self._connected(link, uid, OWNER_ID)
        return ours

    async def call(self, uid: int = OWNER_ID) -> Caller:
        """Connects a client, whether it is let in or not."""
        caller = Caller()
        sock = await self.raw(uid)
        caller.accepted = (await asyncio.get_running_loop().sock_recv(sock, 1))[0]
        await asyncio.get_running_loop().create_connection(lambda: caller.link, sock=sock)
        self._callers.append(caller)
        return caller

    async def close(self) -> None:
        """Called by the connector when it is unloaded."""
        for caller in self._callers:
            await caller.lost


def play(
    scenario: Callable[[Connector], Awaitable[None]], config: dict[str, Any] | None = None, /, **attributes: str
) -> None:
    """Runs a scenario with a connector that is loaded, and unloads it."""

    async def session() -> None:
        flux = SimInstance(asyncio.get_running_loop(), 1, modules=(), settings={"local-uri": "local:///x"} | attributes)
        connector = Connector(flux)
        flux[0].host.offer("listen", connector.listen)
        flux[0].host.offer("config", Configuration(Config(config)))
        flux[0].host.offer("belongs", lambda uid, users, groups: f"user{uid}" in users or f"group{uid}" in groups)
        names = iter(range(1_000_000))
        flux[0].host.offer("uuid", lambda: b"client-%d" % next(names))
        await flux.up()
        await flux[0].modules.adopt(Api)
        async with asyncio.timeout(LONGEST):
            await scenario(connector)
            await flux[0].modules.remove("connector-local")
        assert flux[0].program is not None
        flux[0].program.stop()
        await flux[0].session.ended
        flux.check([])

    asyncio.run(session())
