"""Clients on sockets: who is let in, what they may do, what is left of them, and what a slow one costs."""

import asyncio
from errno import EEXIST, EINVAL, EMFILE, ENOENT, ENOSYS, EPERM, EPROTO
from typing import Any

import pytest

from flux.modules.api import client, service
from flux.wire.framing import Unpacker, pack
from flux.wire.message import (
    ADMIN,
    LOCAL,
    NORESPONSE,
    OWNER,
    PRIVATE,
    STREAMING,
    USER,
    Event,
    Request,
    Response,
    respond,
)
from tests.modules.api.connector import OWNER_ID, Caller, Connector, play

GUEST = 2000
GUESTS = {"access.allow-guest-user": "1"}


# -- who is let in ----------------------------------------------------------------------------------------------------


def test_the_owner_is_let_in_and_named() -> None:
    async def scenario(connector: Connector) -> None:
        caller = await connector.call()
        assert caller.accepted == 0
        body = (await caller.rpc("broker.ping", {"seq": 1})).body()
        assert (body["userid"], body["rolemask"], body["seq"]) == (OWNER_ID, OWNER | LOCAL, 1)

    play(scenario)


def test_others_get_the_errno_and_are_hung_up_on() -> None:
    async def scenario(connector: Connector) -> None:
        caller = await connector.call(GUEST)
        assert caller.accepted == EPERM
        await caller.lost

    play(scenario)


def test_guests_are_let_in_where_they_may() -> None:
    async def scenario(connector: Connector) -> None:
        caller = await connector.call(GUEST)
        assert caller.accepted == 0
        body = (await caller.rpc("broker.ping", {}, userid=OWNER_ID, rolemask=OWNER)).body()
        assert (body["userid"], body["rolemask"]) == (GUEST, USER | LOCAL)

    play(scenario, **GUESTS)


def test_what_is_the_owners_alone_is_refused_to_a_guest() -> None:
    async def scenario(connector: Connector) -> None:
        guest = await connector.call(GUEST)
        for topic in ("groups.join", "shutdown.start", "connector-local.debug", "state-machine.post"):
            answer = await guest.rpc(topic, {"name": "x"})
            assert (answer.errnum, answer.text()) == (EPERM, "Request requires owner credentials")

    play(scenario, **GUESTS)


def test_root_is_an_owner_where_it_may_be() -> None:
    async def scenario(connector: Connector) -> None:
        root = await connector.call(0)
        assert (await root.rpc("broker.ping", {})).body()["rolemask"] == OWNER | LOCAL

    play(scenario, **{"access.allow-root-owner": "true"})


def test_the_configuration_says_who_is_let_in_and_may_change_its_mind() -> None:
    async def scenario(connector: Connector) -> None:
        owner = await connector.call()
        assert (await connector.call(GUEST)).accepted == 0
        assert (await (await connector.call(0)).rpc("broker.ping", {})).body()["rolemask"] == USER | LOCAL
        stats = (await owner.rpc("connector-local.stats-get")).body()
        assert (stats["allow_guest_user"], stats["allow_root_owner"]) == (True, False)
        await owner.rpc("config.load", {"access": {"allow-root-owner": True}})
        assert (await connector.call(GUEST)).accepted == EPERM
        assert (await (await connector.call(0)).rpc("broker.ping", {})).body()["rolemask"] == OWNER | LOCAL

    play(scenario, {"access": {"allow-guest-user": True}})


def test_an_attribute_prevails_over_the_configuration() -> None:
    async def scenario(connector: Connector) -> None:
        assert (await connector.call(GUEST)).accepted == EPERM

    play(scenario, {"access": {"allow-guest-user": True}}, **{"access.allow-guest-user": "0"})


@pytest.mark.parametrize(
    ("who", "more"), [({"users": ["user2000"]}, ADMIN), ({"groups": ["group2000"]}, ADMIN), ({}, 0)]
)
def test_a_guest_may_have_a_role(who: dict[str, list[str]], more: int) -> None:
    async def scenario(connector: Connector) -> None:
        for uid, mask in ((GUEST, USER | LOCAL | more), (GUEST + 1, USER | LOCAL), (OWNER_ID, OWNER | LOCAL)):
            caller = await connector.call(uid)
            assert (await caller.rpc("broker.ping", {})).body()["rolemask"] == mask

    play(scenario, {"access": {"allow-guest-user": True, "roles": {"admin": who}}})


# -- events -----------------------------------------------------------------------------------------------------------


def test_events_come_to_who_subscribed_as_often_as_it_did_not_take_back() -> None:
    async def scenario(connector: Connector) -> None:
        one, other = await connector.call(), await connector.call()
        for _ in range(2):
            await one.rpc("event.subscribe", {"topic": "sim."})
        await one.rpc("event.unsubscribe", {"topic": "sim."})
        other.link.send(Event(topic="sim.a", data={"n": 1}))
        heard = await one.next()
        assert (heard.topic, heard.body(), heard.userid) == ("sim.a", {"n": 1}, OWNER_ID)
        assert heard.sequence > 0
        await one.rpc("event.unsubscribe", {"topic": "sim."})
        other.link.send(Event(topic="sim.b"))
        assert (await other.rpc("broker.ping", {})).errnum == 0
        assert (await one.rpc("broker.ping", {})).errnum == 0

    play(scenario)


def test_a_private_event_of_the_owner_is_no_guests() -> None:
    async def scenario(connector: Connector) -> None:
        owner, guest = await connector.call(), await connector.call(GUEST)
        for caller in (owner, guest):
            await caller.rpc("event.subscribe", {"topic": "sim."})
        owner.link.send(Event(flags=PRIVATE, topic="sim.private"))
        owner.link.send(Event(topic="sim.public"))
        assert [(await owner.next()).topic for _ in range(2)] == ["sim.private", "sim.public"]
        assert (await guest.next()).topic == "sim.public"

    play(scenario, **GUESTS)


def test_a_number_that_a_client_gives_its_event_is_ignored() -> None:
    async def scenario(connector: Connector) -> None:
        caller = await connector.call()
        await caller.rpc("event.subscribe", {"topic": "sim."})
        caller.link.send(Event(topic="sim.a", sequence=4711))
        assert (await caller.next()).sequence < 4711

    play(scenario)


@pytest.mark.parametrize("data", [None, {}, {"topic": 3}, b"\xff"])
@pytest.mark.parametrize("topic", ["event.subscribe", "event.unsubscribe", "service.add", "service.remove"])
def test_a_payload_that_says_nothing_is_refused(topic: str, data: bytes | dict[str, Any] | None) -> None:
    async def scenario(connector: Connector) -> None:
        caller = await connector.call()
        assert (await caller.rpc(topic, data)).errnum == EPROTO
        caller.ask(topic, data, flags=NORESPONSE)
        assert (await caller.rpc("broker.ping", {})).errnum == 0

    play(scenario)


# -- services ---------------------------------------------------------------------------------------------------------


def test_a_client_serves_others() -> None:
    async def scenario(connector: Connector) -> None:
        server, caller = await connector.call(), await connector.call()
        await server.rpc("service.add", {"service": "mine"})
        tag = caller.ask("mine.a", {"x": 1}, flags=STREAMING)
        asked = await server.next()
        assert isinstance(asked, Request)
        assert (asked.topic, asked.body(), asked.userid) == ("mine.a", {"x": 1}, OWNER_ID)
        server.link.send(respond(asked, {"y": 1}, more=True))
        server.link.send(respond(asked, {"y": 2}))
        for y in (1, 2):
            answer = await caller.next()
            assert (answer.matchtag, answer.body()) == (tag, {"y": y})
        await server.rpc("service.remove", {"service": "mine"})
        assert (await caller.rpc("mine.a")).errnum == ENOSYS

    play(scenario)


def test_a_service_name_is_given_once_and_taken_back_by_its_owner() -> None:
    async def scenario(connector: Connector) -> None:
        one, other = await connector.call(), await connector.call()
        assert (await one.rpc("service.add", {"service": "mine"})).errnum == 0
        assert (await one.rpc("service.add", {"service": "mine"})).errnum == EEXIST
        assert (await other.rpc("service.add", {"service": "mine"})).errnum == EEXIST
        assert (await other.rpc("service.add", {"service": "groups"})).errnum == EEXIST
        assert (await other.rpc("service.add", {"service": "a.b"})).errnum == EINVAL
        assert (await other.rpc("service.remove", {"service": "mine"})).errnum == ENOENT
        assert (await one.rpc("service.remove", {"service": "mine"})).errnum == 0

    play(scenario)


def test_a_guest_cannot_take_another_name_nor_answer_for_others() -> None:
    async def scenario(connector: Connector) -> None:
        owner, guest = await connector.call(), await connector.call(GUEST)
        assert (await guest.rpc("service.add", {"service": "kvs"})).errnum == EPERM
        assert (await guest.rpc("service.add", {"service": f"{GUEST}-mine"})).errnum == 0
        await owner.rpc("service.add", {"service": "mine"})
        tag = owner.ask("mine.a")
        asked = await owner.next()
        guest.link.send(respond(asked, {"forged": True}))
        assert (await guest.rpc("broker.ping", {})).errnum == 0
        owner.link.send(respond(asked, {"forged": False}))
        answer = await owner.next()
        assert (answer.matchtag, answer.body()) == (tag, {"forged": False})

    play(scenario, **GUESTS)


# -- leaving ----------------------------------------------------------------------------------------------------------


def test_of_a_client_that_hangs_up_nothing_is_left() -> None:
    async def scenario(connector: Connector) -> None:
        caller, watcher = await connector.call(), await connector.call()
        await caller.rpc("event.subscribe", {"topic": "sim."})
        await caller.rpc("service.add", {"service": "mine"})
        await caller.rpc("groups.join", {"name": "g"})
        caller.ask("state-machine.monitor", {}, flags=STREAMING)
        await caller.next()
        watcher.ask("groups.get", {"name": "g"}, flags=STREAMING)
        assert (await watcher.next()).body() == {"members": "0"}
        waiting = watcher.ask("mine.wait")
        await caller.next()
        caller.link.close()
        answers = [await watcher.next(), await watcher.next()]
        assert {answer.matchtag: answer.errnum for answer in answers} == {1: 0, waiting: 113}
        assert [answer.body() for answer in answers if answer.matchtag == 1] == [{"members": ""}]
        assert (await watcher.rpc("connector-local.stats-get")).body()["clients"] == 1
        assert (await watcher.rpc("mine.wait")).errnum == ENOSYS
        assert not connector.broker.subscriptions.hearers(Event(topic="sim.a"))

    play(scenario)


def test_who_is_connected_at_the_end_gets_what_waits_and_is_hung_up_on() -> None:
    callers: list[Caller] = []

    async def scenario(connector: Connector) -> None:
        caller = await connector.call()
        callers.append(caller)
        caller.ask("broker.ping", {})
        assert (await caller.next()).errnum == 0

    play(scenario)
    assert callers[0].lost.done()


BAD_HEADER = pack(Request(topic="a.b"))[:-20] + b"x" * 20


@pytest.mark.parametrize("garbage", [b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 100, BAD_HEADER])
def test_garbage_ends_that_connection_and_no_other(garbage: bytes) -> None:
    async def scenario(connector: Connector) -> None:
        caller, loop = await connector.call(), asyncio.get_running_loop()
        raw = await connector.raw()
        assert await loop.sock_recv(raw, 1) == b"\0"
        await loop.sock_sendall(raw, garbage)
        assert await loop.sock_recv(raw, 1) == b""
        raw.close()
        assert (await caller.rpc("connector-local.stats-get")).body()["clients"] == 1

    play(scenario)


# -- who does not read ------------------------------------------------------------------------------------------------

LARGE = {"pad": "x" * 100_000}


def test_who_does_not_read_its_answers_is_not_read_either_and_goes_on_when_it_reads() -> None:
    async def scenario(connector: Connector) -> None:
        caller, loop = await connector.call(), asyncio.get_running_loop()
        raw = await connector.raw()
        link = connector.links[-1]
        sending = asyncio.ensure_future(loop.sock_sendall(raw, b"".join(requests(100))))
        paused = loop.create_future()
        before = link.on_pause

        def note(which: Any) -> None:
            assert before is not None
            before(which)
            if which.paused and not paused.done():
                paused.set_result(None)

        link.on_pause = note
        await paused
        assert (await caller.rpc("broker.ping", {})).errnum == 0  # others are served meanwhile
        assert not sending.done()
        assert link.waiting < 5_000_000, "what waits for it is bounded"
        reader = Reader()
        assert [await reader.next(raw) for _ in range(100)] == list(range(1, 101))
        await sending
        raw.close()

    play(scenario)


def test_who_lets_too_much_wait_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "WAITING_LIMIT", 3_000_000)

    async def scenario(connector: Connector) -> None:
        caller, loop = await connector.call(), asyncio.get_running_loop()
        raw = await connector.raw()
        await loop.sock_sendall(raw, pack(Request(topic="event.subscribe", data={"topic": "sim."}, matchtag=1)))
        await caller.rpc("event.subscribe", {"topic": "sim."})
        for n in range(60):
            caller.link.send(Event(topic="sim.a", data={"n": n} | LARGE))
            assert (await caller.next()).body()["n"] == n
        assert (await caller.rpc("connector-local.stats-get")).body()["clients"] == 1
        raw.close()

    play(scenario)


def test_who_asks_more_services_than_can_be_told_that_it_leaves_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "MOST", 2)

    async def scenario(connector: Connector) -> None:
        caller = await connector.call()
        assert [(await caller.rpc(f"nosuch{n}.a")).errnum for n in range(3)] == [ENOSYS, ENOSYS, EMFILE]
        caller.ask("nosuch4.a", flags=NORESPONSE)
        assert (await caller.rpc("nosuch1.b")).errnum == ENOSYS

    play(scenario)


def requests(count: int) -> list[bytes]:
    return [pack(Request(topic="broker.ping", data=LARGE, matchtag=n + 1)) for n in range(count)]


class Reader:
    """Reads answers from a socket, past the byte that lets in."""

    def __init__(self) -> None:
        self._unpacker, self._ready, self._first = Unpacker(), list[Any](), True

    async def next(self, raw: Any) -> int:
        """The matchtag of the next answer."""
        while not self._ready:
            data = await asyncio.get_running_loop().sock_recv(raw, 65536)
            assert data
            self._ready += self._unpacker.feed(data[self._first :])
            self._first = False
        answer = self._ready.pop(0)
        assert isinstance(answer, Response) and len(answer.payload() or b"") > 100_000
        return answer.matchtag
