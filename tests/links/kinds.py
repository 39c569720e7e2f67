"""The kinds of link there are, each with one face, so that one suite tries them all."""

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from flux.broker.hops import Links
from flux.overlay.router import UPWARD
from flux.runtime.curve import Keys, fresh_keys
from flux.runtime.listener import Listener, listen
from flux.runtime.stream import StreamLink
from flux.runtime.wiring import Ears, Endpoint, Wiring
from flux.testing.links import MemoryLinks
from flux.testing.network import CALM, Network
from flux.wire.message import Event, Message, Request

HELLO = Request(topic="hello")
PARENT = "parent"
MARK = 7
"""The last event that everybody has seen, as far as they say."""


class End:
    """What one side of a link hears, and how it speaks."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.came: asyncio.Queue[Message] = asyncio.Queue()
        self.marks: list[int] = []
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.send: Callable[[Message], None]
        self.close: Callable[[], None]

    def receive(self, msg: Message, mark: int = 0) -> None:
        """Something came."""
        self.came.put_nowait(msg)
        self.marks.append(mark)

    def gone(self, reason: str) -> None:
        """The other end is gone; told once."""
        self.lost.set_result(reason)

    async def next(self) -> Any:
        """The next message."""
        return await self.came.get()


class Kind:
    """One kind of link: somebody who listens, and those who connect."""

    garbage = True
    """Whether bytes that are no messages can come in at all."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.ends: dict[str, End] = {}
        """The listening side's end of each connection, by the name that the other side has."""
        self.noise: asyncio.Queue[str] = asyncio.Queue()
        """What was odd, as it would be logged."""

    async def start(self) -> None:
        """Begins to listen."""

    async def connect(self, name: str) -> tuple[End, End]:
        """Connects somebody of that name; returns their end and the listener's."""
        raise NotImplementedError

    async def raw(self) -> socket.socket:
        """A connection on which anything can be sent."""
        raise NotImplementedError

    def hang_up(self, name: str) -> None:
        """The listening side leaves who is called that."""
        self.ends[name].close()

    async def stop(self) -> None:
        """Closes all."""


class Tree(Kind):
    """Links of the tree: named by uuid, with marks."""

    def _ears(self) -> Ears:
        """The listener's: a new name makes a new end."""
        return Ears(self._receive, self._lost, self.noise.put_nowait)

    def _receive(self, msg: Message, link: bytes, mark: int) -> None:
        self.ends[link.decode()].receive(msg, mark)

    def _lost(self, link: bytes, reason: str) -> None:
        self.ends[link.decode()].gone(reason)

    async def connect(self, name: str) -> tuple[End, End]:
        end = self.last = End(name)
        ears = Ears(
            lambda msg, link, mark: end.receive(msg, mark),
            lambda link, reason: end.gone(reason),
            self.noise.put_nowait,
        )
        links = self._links(name, ears)
        other = self.ends[name] = End(PARENT)
        end.send = lambda msg: links.send(UPWARD + PARENT.encode(), msg, MARK)
        other.send = lambda msg: self._own.send(name.encode(), msg, MARK)
        end.close = links.close
        other.close = lambda: self._own.disconnect(name.encode())
        self._join(links)
        end.send(HELLO)
        assert (await other.next()).topic == "hello"
        return end, other

    def publish(self, event: Event) -> None:
        """Sends an event to everybody."""
        self._own.publish(event)

    def _links(self, name: str, ears: Ears) -> Any:
        raise NotImplementedError

    def _join(self, links: Any) -> None:
        raise NotImplementedError

    _own: Links
    last: End
    """The end of who connected last, or tried to."""


class Memory(Tree):
    """The links of simulations."""

    garbage = False

    async def start(self) -> None:
        self._network = Network(asyncio.get_running_loop(), Random(1), CALM)
        self._own = self._network.links(PARENT, self._ears())

    def _links(self, name: str, ears: Ears) -> MemoryLinks:
        return self._network.links(name, ears)

    def _join(self, links: MemoryLinks) -> None:
        links.connect(PARENT)


class Ipc(Tree):
    """ZeroMQ on one host."""

    keys: Keys | None = None

    async def start(self) -> None:
        self._wirings: list[Wiring] = []
        self._own = self._wiring = self._new(PARENT, self._ears(), self.keys)
        self.endpoint = self._listen()

    def _listen(self) -> Endpoint:
        return self._wiring.listen(f"ipc://{self.directory}/tree", f"ipc://{self.directory}/event")

    def _new(self, name: str, ears: Ears, keys: Keys | None) -> Wiring:
        made = Wiring(asyncio.get_running_loop(), name, ears, keys)
        self._wirings.append(made)
        return made

    def _links(self, name: str, ears: Ears) -> Wiring:
        return self._new(name, ears, self._admitted())

    def _admitted(self) -> Keys | None:
        return None

    def _join(self, links: Wiring) -> None:
        links.connect(PARENT, self.endpoint)

    async def raw(self) -> socket.socket:
        return await _dial(socket.AF_UNIX, f"{self.directory}/tree")

    def hang_up(self, name: str) -> None:
        """Leaves everybody: ZeroMQ cannot close one connection of many."""
        self._wirings.remove(self._wiring)
        self._wiring.close()

    async def stop(self) -> None:
        for wiring in self._wirings:
            wiring.close()


class Tcp(Ipc):
    """ZeroMQ among several hosts: TCP with CURVE."""

    async def start(self) -> None:
        self.keys = fresh_keys()
        await super().start()

    def _listen(self) -> Endpoint:
        return self._wiring.listen("tcp://127.0.0.1:*", "tcp://127.0.0.1:*")

    def _admitted(self) -> Keys | None:
        keys = fresh_keys()
        self._wiring.admit(keys.public.decode())
        return keys

    async def raw(self) -> socket.socket:
        port = int(self.endpoint.tree.rpartition(":")[2])
        return await _dial(socket.AF_INET, ("127.0.0.1", port))


class Unix(Kind):
    """The socket of local clients: streams of messages."""

    async def start(self) -> None:
        self._new: asyncio.Queue[StreamLink] = asyncio.Queue()
        self._by_link: dict[StreamLink, End] = {}
        self._links: list[StreamLink] = []
        path = f"{self.directory}/local"
        self._listener: Listener = await listen(path, self._connected, self._receive, self._lost)

    async def connect(self, name: str) -> tuple[End, End]:
        end = End(name)
        _, link = await asyncio.get_running_loop().create_unix_connection(
            lambda: StreamLink(lambda link, msg: end.receive(msg), lambda link, reason: end.gone(reason)),
            f"{self.directory}/local",
        )
        self._links.append(link)
        end.send, end.close = link.send, link.close
        end.send(HELLO)
        other = self.ends[name] = self._by_link[await self._new.get()]
        assert (await other.next()).topic == "hello"
        return end, other

    def _connected(self, link: StreamLink, uid: int, owner: int) -> None:
        assert uid == owner
        end = self._by_link[link] = End(PARENT)
        end.send, end.close = link.send, link.close
        self._links.append(link)
        self._new.put_nowait(link)

    def _receive(self, link: StreamLink, msg: Message) -> None:
        self._by_link[link].receive(msg)

    def _lost(self, link: StreamLink, reason: str) -> None:
        self._by_link[link].gone(reason)
        self.noise.put_nowait(reason)

    async def raw(self) -> socket.socket:
        made = await _dial(socket.AF_UNIX, f"{self.directory}/local")
        await self._new.get()
        return made

    async def stop(self) -> None:
        for link in self._links:
            link.abort("the test is over")
        await self._listener.close()
        await asyncio.sleep(0)


async def _dial(family: int, address: Any) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setblocking(False)
    await asyncio.get_running_loop().sock_connect(made, address)
    return made


KINDS: tuple[type[Kind], ...] = (Memory, Unix, Ipc, Tcp)
