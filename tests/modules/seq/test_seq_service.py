"""seq: numbers that nobody gets twice."""

from errno import EAGAIN, ENOENT, EPROTO
from typing import Any

import pytest

from flux.modules.seq.service import Seq
from flux.testing.host import FakeHost, play

FETCH = {"name": "s", "create": True, "preincrement": 0, "postincrement": 1}


def test_each_fetch_draws_the_next_number() -> None:
    async def scenario(host: FakeHost) -> None:
        assert await host.call("seq.fetch", FETCH) == {"name": "s", "value": 0, "created": True}
        assert await host.call("seq.fetch", FETCH) == {"name": "s", "value": 1}
        assert await host.call("seq.fetch", FETCH | {"preincrement": 10, "postincrement": -2}) == {
            "name": "s",
            "value": 12,
        }
        assert (await host.call("seq.fetch", FETCH | {"create": False}))["value"] == 10
        assert (await host.call("seq.stats-get"))["sequences"] == 1

    play(scenario, Seq)


def test_a_sequence_is_set_if_it_stands_where_it_is_said_to() -> None:
    async def scenario(host: FakeHost) -> None:
        await host.call("seq.fetch", FETCH)
        assert (await host.refusal("seq.set", {"name": "s", "value": 5, "oldvalue": 0}))[0] == EAGAIN
        answer = await host.call("seq.set", {"name": "s", "value": 5, "oldvalue": 1})
        assert answer == {"name": "s", "set": True, "value": 5}
        await host.call("seq.set", {"name": "s", "value": -3})
        assert (await host.call("seq.fetch", FETCH))["value"] == -3
        assert await host.call("seq.destroy", {"name": "s"}) == {"name": "s", "destroyed": True}

    play(scenario, Seq)


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("fetch", FETCH | {"create": False}),
        ("set", {"name": "s", "value": 1}),
        ("destroy", {"name": "s"}),
    ],
)
def test_what_is_not_there_is_named(topic: str, payload: dict[str, Any]) -> None:
    async def scenario(host: FakeHost) -> None:
        assert await host.refusal(f"seq.{topic}", payload) == (ENOENT, "there is no sequence s")

    play(scenario, Seq)


@pytest.mark.parametrize("key", list(FETCH))
def test_fetch_wants_all_of_its_keys(key: str) -> None:
    async def scenario(host: FakeHost) -> None:
        payload = {name: value for name, value in FETCH.items() if name != key}
        assert (await host.refusal("seq.fetch", payload))[0] == EPROTO

    play(scenario, Seq)
