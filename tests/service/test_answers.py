"""How a request becomes a method call, and what a method gives back an answer."""

import asyncio
import gc
import warnings
from collections.abc import AsyncIterator, Iterator
from errno import ECANCELED, EIO, ENOENT, ENOSYS, EPERM, EPROTO
from typing import Any

import pytest

from flux.service import ALL, LATER, Call, Later, Service, request
from flux.testing.host import FakeHost, play
from flux.wire.message import NORESPONSE, OWNER, USER, Request


class Desk(Service):
    async def start(self) -> None:
        self.calls: list[Call] = []
        self.gone: list[str] = []

    @request(allow=USER)
    def sum(self, call: Call, *, a: int, b: float = 0.5, names: list[str] | None = None) -> dict[str, Any]:
        return {"sum": a + b, "names": names or []}

    @request("other-name")
    def named_otherwise(self, call: Call) -> None: ...

    @request("elsewhere.topic")
    def whole_topic(self, call: Call) -> dict[str, str]:
        return {"topic": call.request.topic}

    @request(allow=ALL, raw=True)
    def echo(self, call: Call, *, payload: bytes) -> bytes:
        return payload[::-1]

    @request(stream=True)
    def count(self, call: Call, *, upto: int) -> Iterator[dict[str, int]]:
        for n in range(upto):
            if n == 3:
                raise OSError(ENOENT, "no more than 3")
            yield {"n": n}

    @request()
    async def slow(self, call: Call, *, text: str) -> dict[str, str]:
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            self.gone.append(text)
            raise
        return {"text": text}

    @request()
    async def ticks(self, call: Call) -> AsyncIterator[dict[str, float]]:
        try:
            while True:
                yield {"now": self.host.now()}
                await asyncio.sleep(1)
        finally:
            self.gone.append("ticks")

    @request()
    async def async_refusal(self, call: Call) -> None:
        raise OSError(ENOENT, "not here")

    @request()
    def later(self, call: Call) -> Later:
        self.calls.append(call)
        call.on_close = lambda: self.gone.append(call.sender.decode())
        return LATER

    @request()
    async def later_by_coroutine(self, call: Call) -> Later:
        await asyncio.sleep(1)
        return self.later(call)

    @request()
    def broken(self, call: Call) -> None:
        raise ZeroDivisionError("oh")

    @request()
    async def async_broken(self, call: Call) -> None:
        raise ZeroDivisionError("oh")

    @request()
    def nonsense(self, call: Call) -> Any:
        return 17


def desk(host: FakeHost) -> Desk:
    service = host.services["desk"]
    assert isinstance(service, Desk)
    return service


def test_a_method_is_a_topic_and_its_keyword_arguments_are_the_payload() -> None:
    async def scenario(host: FakeHost) -> None:
        assert await host.call("desk.sum", {"a": 1}) == {"sum": 1.5, "names": []}
        encoded = b'{"a": 1, "b": 2, "names": ["x"], "more": 1}\0'
        assert await host.call("desk.sum", encoded) == {"sum": 3, "names": ["x"]}
        assert await host.call("desk.other-name") == {}
        assert (await host.ask("desk.echo", b"abc")).payload() == b"cba"

    play(scenario, Desk)


def test_a_whole_topic_may_be_named() -> None:
    class Two(Desk):
        aliases = ("elsewhere",)

    async def scenario(host: FakeHost) -> None:
        assert await host.call("elsewhere.topic") == {"topic": "elsewhere.topic"}
        assert await host.call("two.sum", {"a": 1}) == {"sum": 1.5, "names": []}

    play(scenario, Two)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (None, "missing required field `a`"),
        ({"a": "1"}, "Expected `int`, got `str` - at `$.a`"),
        ({"a": True}, "Expected `int`, got `bool` - at `$.a`"),
        ({"a": 1, "names": [1]}, "$.names"),
        (b'{"a": 1', "truncated"),
        (b"[1]\0", "Expected `object`"),
        (b"\xff\0", "bad payload"),
        (b"[" * 100_000, "bad payload"),
    ],
)
def test_a_bad_payload_is_refused_with_the_name_of_the_key(data: Any, said: str) -> None:
    async def scenario(host: FakeHost) -> None:
        errnum, text = await host.refusal("desk.sum", data)
        assert errnum == EPROTO and said in text

    play(scenario, Desk)


def test_only_the_owner_may_do_what_is_not_allowed_to_others() -> None:
    async def scenario(host: FakeHost) -> None:
        assert await host.refusal("desk.later", rolemask=USER) == (EPERM, "Request requires owner credentials")
        assert await host.call("desk.sum", {"a": 1}, rolemask=USER)
        assert (await host.refusal("desk.sum", {"a": 1}, rolemask=8))[0] == EPERM
        assert (await host.ask("desk.echo", b"", rolemask=8)).payload() == b""
        assert await host.call("desk.other-name", rolemask=OWNER) == {}

    play(scenario, Desk)


def test_what_is_not_served_is_enosys() -> None:
    async def scenario(host: FakeHost) -> None:
        assert await host.refusal("desk.nothing") == (ENOSYS, "Unknown service method 'desk.nothing'")
        assert (await host.refusal("nobody.home"))[0] == ENOSYS

    play(scenario, Desk)


def test_a_generator_is_a_stream_that_ends() -> None:
    async def scenario(host: FakeHost) -> None:
        assert [answer["n"] async for answer in host.stream("desk.count", {"upto": 2})] == [0, 1]
        assert [answer async for answer in host.stream("desk.count", {"upto": 0})] == []
        seen = []
        with pytest.raises(FileNotFoundError, match="no more than 3"):
            async for answer in host.stream("desk.count", {"upto": 9}):
                seen.append(answer["n"])
        assert seen == [0, 1, 2]

    play(scenario, Desk)


def test_who_takes_no_stream_gets_none() -> None:
    async def scenario(host: FakeHost) -> None:
        assert await host.refusal("desk.count", {"upto": 1}) == (EPROTO, "desk.count needs a streaming request")
        assert await host.refusal("desk.ticks") == (EPROTO, "desk.ticks needs a streaming request")

    play(scenario, Desk)


def test_one_answer_is_a_stream_of_one() -> None:
    async def scenario(host: FakeHost) -> None:
        assert [answer async for answer in host.stream("desk.sum", {"a": 1})] == [{"sum": 1.5, "names": []}]

    play(scenario, Desk)


def test_a_coroutine_answers_when_it_is_done() -> None:
    async def scenario(host: FakeHost) -> None:
        assert await host.call("desk.slow", {"text": "x"}) == {"text": "x"}
        assert host.now() == 10
        assert await host.refusal("desk.async-refusal") == (ENOENT, "not here")

    play(scenario, Desk)


def test_later_is_answered_by_who_keeps_the_call() -> None:
    async def scenario(host: FakeHost) -> None:
        for topic in ("desk.later", "desk.later-by-coroutine"):
            asked = asyncio.ensure_future(host.call(topic))
            await host.advance(2)
            assert not asked.done()
            desk(host).calls.pop().respond({"x": 1})
            assert await asked == {"x": 1}
        assert not desk(host).open_calls()

    play(scenario, Desk)


@pytest.mark.parametrize("topic", ["desk.broken", "desk.async-broken"])
def test_a_bug_is_eio_to_the_caller_and_a_traceback_in_the_log_and_the_service_lives(topic: str) -> None:
    async def scenario(host: FakeHost) -> None:
        assert await host.refusal(topic) == (EIO, f"{topic} failed (see flux dmesg)")
        ((level, app, text),) = host.logged
        assert (level, app) == (3, "desk") and "ZeroDivisionError: oh" in text and "Traceback" in text
        assert await host.call("desk.sum", {"a": 1})

    play(scenario, Desk)


def test_an_answer_of_a_kind_that_does_not_exist_is_a_bug() -> None:
    async def scenario(host: FakeHost) -> None:
        assert (await host.refusal("desk.nonsense"))[0] == EIO
        assert "TypeError: desk.nonsense answered int" in host.logged[0][2]

    play(scenario, Desk)


def test_who_hangs_up_takes_its_calls_along() -> None:
    async def scenario(host: FakeHost) -> None:
        for sender in (b"a", b"b"):
            host.request("desk.later", None, lambda response: None, sender=sender)
            host.request("desk.slow", {"text": sender.decode() * 2}, lambda response: None, sender=sender)
        await host.advance()
        host.disconnect(b"a")
        await host.advance()
        assert desk(host).gone == ["a", "aa"]
        assert [call.sender for call in desk(host).open_calls()] == [b"b", b"b"]

    play(scenario, Desk)


def test_a_stream_ends_when_its_caller_cancels_it() -> None:
    async def scenario(host: FakeHost) -> None:
        ends: list[int] = []
        tag = host.request("desk.ticks", None, lambda response: ends.append(response.errnum), flags=0x40)
        await host.advance(2.5)
        host.request("desk.cancel", {"matchtag": tag}, sender=b"somebody else")
        host.request("desk.cancel", {"matchtag": tag + 1})
        await host.advance(1)
        assert ends == [0, 0, 0, 0]
        host.request("desk.cancel", {"matchtag": tag})
        await host.advance()
        assert ends == [0, 0, 0, 0, 61] and desk(host).gone == ["ticks"]

    play(scenario, Desk)


def test_a_call_that_is_cancelled_is_refused_and_its_method_told() -> None:
    async def scenario(host: FakeHost) -> None:
        said: list[int] = []
        tag = host.request("desk.later", None, lambda response: said.append(response.errnum))
        host.request("desk.cancel", {"matchtag": tag})
        await host.advance()
        assert said == [ECANCELED] and desk(host).gone == ["client"]
        desk(host).calls[0].respond({})
        assert said == [ECANCELED]

    play(scenario, Desk)


def test_a_caller_that_is_gone_before_its_answer_has_begun_leaves_no_complaint_of_python() -> None:
    async def scenario(host: FakeHost) -> None:
        host.request("desk.slow", {"text": "never begun"}, lambda response: None)
        host.disconnect(b"client")
        await host.advance()
        assert desk(host).gone == [] and not desk(host).open_calls()

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        play(scenario, Desk)
        gc.collect()
    assert [str(warning.message) for warning in said] == []


def test_a_matchtag_that_is_used_twice_leaves_nothing_behind() -> None:
    async def scenario(host: FakeHost) -> None:
        for _ in range(2):
            host.send(Request(1, OWNER, 0, "desk.later", None, 0, 7), b"clumsy")
        assert desk(host).gone == ["clumsy"] and len(desk(host).open_calls()) == 1
        host.disconnect(b"clumsy")
        assert desk(host).gone == ["clumsy", "clumsy"] and not desk(host).open_calls()

    play(scenario, Desk)


def test_who_wants_no_answer_gets_none() -> None:
    async def scenario(host: FakeHost) -> None:
        before = desk(host).sent[1]
        for topic in ("sum", "later", "slow", "nothing"):
            for data in ({"a": 1, "text": ""}, None):
                host.send(Request(1, OWNER, NORESPONSE, f"desk.{topic}", data, 0, 0), b"client")
        await host.advance(20)
        assert desk(host).sent[1] == before and not desk(host).open_calls()

    play(scenario, Desk)


def test_what_is_open_is_refused_when_the_service_is_unloaded() -> None:
    async def scenario(host: FakeHost) -> None:
        service = desk(host)
        asked = [asyncio.ensure_future(host.call(f"desk.{topic}", {"text": "s"})) for topic in ("later", "slow")]
        await host.advance()
        await host.unload("desk")
        for answer in await asyncio.gather(*asked, return_exceptions=True):
            assert isinstance(answer, OSError) and (answer.errno, answer.strerror) == (ENOSYS, "desk was unloaded")
        assert service.gone == ["s"]

    play(scenario, Desk)


def test_a_method_that_hides_one_of_the_kit_is_refused_when_the_class_is_made() -> None:
    with pytest.raises(TypeError, match=r"Bad\.publish hides a method of Service"):

        class Bad(Service):
            @request()
            def publish(self, call: Call) -> None: ...  # type: ignore[override]
