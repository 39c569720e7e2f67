"""A broker that is not one: it speaks the local protocol and answers by itself, for tests and benches of clients."""

import asyncio
import threading
from collections.abc import Callable
from errno import ECANCELED, EEXIST, ENODATA, ENOENT, ENOSYS, EPROTO
from types import TracebackType

from flux.runtime.stream import StreamLink
from flux.wire.message import (
    LOCAL,
    OWNER,
    Data,
    Event,
    Message,
    Request,
    Response,
    end_of_stream,
    refuse,
    respond,
)

# What never changes, and what the flag of `attr.get` says so of.
ATTRIBUTES = {"rank": "3", "size": "16", "hostlist": "fake[0-15]", "version": "0.88.0"}


class Client:
    """One connection, as the fake broker sees it."""

    def __init__(self, link: StreamLink, number: int) -> None:
        self.link = link
        self.id = b"client-%d" % number
        self.prefixes: list[str] = []
        self.streams: dict[int, Request] = {}


class EchoBroker:
    """Gives `echo.*` requests their payload back, and plays the services that a handle itself needs.

    `echo.fail {errnum, text}` refuses, `echo.count {upto}` streams numbers, `echo.hold` answers when it is cancelled,
    `echo.die` hangs up; what `answers` has for a topic goes before. `heard` keeps all requests and events,
    `refuse_with` is the errno that greets new clients.
    """

    def __init__(self) -> None:
        self.attributes = dict(ATTRIBUTES)
        self.heard: list[Message] = []
        self.refuse_with = 0
        self.sequence = 0
        self.clients: dict[StreamLink, Client] = {}
        self.services: dict[str, Client] = {}
        self.answers: dict[str, Callable[[Request], Data]] = {}
        self._numbers = 0

    async def listen(self, path: str) -> asyncio.AbstractServer:
        """Serves clients on a unix socket."""
        return await asyncio.get_running_loop().create_unix_server(self.accept, path)

    def accept(self) -> StreamLink:
        """Greets a new client."""
        link = StreamLink(self.receive, self.lost)
        link.on_pause = _stop_reading_who_does_not_read
        self._numbers += 1
        self.clients[link] = Client(link, self._numbers)
        link.write(bytes((self.refuse_with,)))
        if self.refuse_with:
            asyncio.get_running_loop().call_soon(link.close)
        return link

    def lost(self, link: StreamLink, reason: str) -> None:
        """Forgets a client."""
        client = self.clients.pop(link)
        self.services = {name: owner for name, owner in self.services.items() if owner is not client}

    def receive(self, link: StreamLink, msg: Message) -> None:
        """Answers a message."""
        client = self.clients[link]
        if isinstance(msg, Request):
            self.heard.append(msg)
            self._serve(client, msg)
        elif isinstance(msg, Event):
            self.heard.append(msg)
            self.publish(msg)
        elif isinstance(msg, Response):
            self._deliver(msg)

    def publish(self, event: Event) -> None:
        """Numbers an event and sends it to who subscribed."""
        self.sequence += 1
        event.sequence = self.sequence
        for client in self.clients.values():
            if any(event.topic.startswith(prefix) for prefix in client.prefixes):
                client.link.send(event)

    def _serve(self, client: Client, request: Request) -> None:
        request.route = (client.id,)
        if request.rolemask == 0:
            request.rolemask = OWNER | LOCAL
        answer = getattr(self, "_" + request.topic.replace(".", "_"), None)
        try:
            if request.topic in self.answers:
                data = self.answers[request.topic](request)
            elif answer is not None:
                data = answer(client, request)
            elif request.topic.endswith(".cancel"):
                return self._cancel(client, request)
            elif request.service in self.services:
                return self.services[request.service].link.send(request)
            elif request.service == "echo":
                data = request.data
            else:
                raise OSError(ENOSYS, "Unknown service method " + request.topic)
            if data is not NotImplemented:
                self._answer(client, request, respond(request, data))
        except OSError as error:
            self._answer(client, request, refuse(request, error.errno or EPROTO, error.strerror or ""))

    def _answer(self, client: Client, request: Request, response: Response) -> None:
        if request.wants_answer:
            response.route = ()
            client.link.send(response)

    def _deliver(self, response: Response) -> None:
        for client in self.clients.values():
            if response.route == (client.id,):
                response.route = ()
                client.link.send(response)

    def _cancel(self, client: Client, request: Request) -> None:
        stream = client.streams.pop(request.body()["matchtag"], None)
        if stream is not None:
            last = end_of_stream(stream) if stream.streaming else refuse(stream, ECANCELED)
            self._answer(client, stream, last)

    # -- what it serves ---------------------------------------------------------------------------------------------

    def _attr_get(self, client: Client, request: Request) -> dict[str, object]:
        name = request.body()["name"]
        if name not in self.attributes:
            raise OSError(ENOENT, f"{name}: no such attribute")
        return {"value": self.attributes[name], "flags": int(name in ATTRIBUTES)}

    def _attr_set(self, client: Client, request: Request) -> None:
        self.attributes[request.body()["name"]] = request.body()["value"]

    def _attr_rm(self, client: Client, request: Request) -> None:
        if self.attributes.pop(request.body()["name"], None) is None:
            raise OSError(ENOENT, "no such attribute")

    def _config_get(self, client: Client, request: Request) -> dict[str, object]:
        return {"tbon": {"topo": "kary:2"}}

    def _event_subscribe(self, client: Client, request: Request) -> None:
        client.prefixes.append(request.body()["topic"])

    def _event_unsubscribe(self, client: Client, request: Request) -> None:
        client.prefixes.remove(request.body()["topic"])

    def _service_add(self, client: Client, request: Request) -> None:
        name = request.body().get("service")
        if not isinstance(name, str):
            raise OSError(EPROTO, "service missing")
        if name in self.services:
            raise OSError(EEXIST, f"{name}: service exists")
        self.services[name] = client

    def _service_remove(self, client: Client, request: Request) -> None:
        if self.services.pop(request.body()["service"], None) is None:
            raise OSError(ENOENT, "no such service")

    def _log_append(self, client: Client, request: Request) -> None:
        return None

    def _echo_fail(self, client: Client, request: Request) -> None:
        body = request.body()
        raise OSError(body["errnum"], body.get("text", ""))

    def _echo_count(self, client: Client, request: Request) -> object:
        for number in range(request.body()["upto"]):
            self._answer(client, request, respond(request, {"n": number}, more=True))
        raise OSError(ENODATA, "")

    def _echo_hold(self, client: Client, request: Request) -> object:
        client.streams[request.matchtag] = request
        if request.streaming:
            self._answer(client, request, respond(request, {"held": True}, more=True))
        return NotImplemented

    def _echo_die(self, client: Client, request: Request) -> object:
        client.link.abort("told to")
        return NotImplemented


def _stop_reading_who_does_not_read(link: StreamLink) -> None:
    if link.paused:
        link.pause_reading()
    else:
        link.resume_reading()


class EchoThread:
    """An echo broker with a loop and a thread of its own, for a client that blocks."""

    def __init__(self, path: str) -> None:
        self.uri = f"local://{path}"
        self.broker = EchoBroker()
        self._path = path
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    def call(self, do: Callable[[], object]) -> None:
        """Has something done in the broker's loop."""
        self._loop.call_soon_threadsafe(do)

    def __enter__(self) -> "EchoThread":
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._end = asyncio.Event()
        server = await self.broker.listen(self._path)
        self._ready.set()
        await self._end.wait()
        server.close()
        for link in list(self.broker.clients):
            link.abort("the broker ends")
