"""reduce: each brings a value, all get what they make together."""

import asyncio
from errno import ECANCELED, ECONNABORTED, EINVAL
from typing import Any

import pytest

from flux.modules.reduce.service import Reduce
from flux.testing.sim import ROUGH, SimInstance, simulate
from flux.testing.tree import FakeTree, grow
from flux.wire.message import LOCAL, PRIVATE, USER, Response


def entry(nprocs: int, value: Any, op: str = "sum", name: str = "r") -> dict[str, Any]:
    return {"name": name, "nprocs": nprocs, "op": op, "value": value}


def test_everybody_gets_the_sum_and_the_name_is_free_again() -> None:
    async def scenario(tree: FakeTree) -> None:
        for factor in (1, 10):
            answers = await asyncio.gather(
                *(tree[rank].call("reduce.enter", entry(7, rank * factor)) for rank in range(7))
            )
            assert answers == [{"value": 21 * factor}] * 7

    grow(scenario, Reduce, FakeTree(7))


def test_several_of_one_broker_take_part() -> None:
    async def scenario(tree: FakeTree) -> None:
        asked = [(rank, word) for rank in (0, 2) for word in ("x", "y")]
        answers = await asyncio.gather(
            *(
                tree[rank].call("reduce.enter", entry(4, f"{word}{rank}", "set"), sender=word.encode())
                for rank, word in asked
            )
        )
        assert answers == [{"value": ["x0", "x2", "y0", "y2"]}] * 4

    grow(scenario, Reduce, FakeTree(3))


def test_who_leaves_breaks_it_for_all() -> None:
    async def scenario(tree: FakeTree) -> None:
        heard: list[Response] = []
        tree[1].request("reduce.enter", entry(3, 1), heard.append, sender=b"steady")
        tree[2].request("reduce.enter", entry(3, 1), heard.append, sender=b"hasty")
        await tree[0].advance()
        tree[2].disconnect(b"hasty")
        await tree[0].advance()
        assert [(answer.errnum, answer.text()) for answer in heard] == [
            (ECANCELED, ""),
            (ECONNABORTED, "reduce r: broken: a caller left or entered twice"),
        ]

    grow(scenario, Reduce, FakeTree(3))


def test_those_who_disagree_are_told() -> None:
    async def scenario(tree: FakeTree) -> None:
        asked = ((1, "sum"), (2, "max"))
        entries = (tree[rank].refusal("reduce.enter", entry(2, 1, op)) for rank, op in asked)
        assert list(await asyncio.gather(*entries)) == [(EINVAL, "reduce r: its callers disagree on op or nprocs")] * 2

    grow(scenario, Reduce, FakeTree(3))


def test_a_guest_has_names_of_its_own_and_hears_nothing_of_others() -> None:
    async def scenario(tree: FakeTree) -> None:
        owner = asyncio.ensure_future(tree[1].call("reduce.enter", entry(2, 1)))
        await tree[0].advance()
        guest = await tree[2].call("reduce.enter", entry(1, 5), userid=77, rolemask=USER | LOCAL)
        assert guest == {"value": 5}
        assert await tree[0].call("reduce.enter", entry(2, 2)) == {"value": 3} == await owner
        assert all(event.flags & PRIVATE for event in tree[0].events)

    grow(scenario, Reduce, FakeTree(3))


@pytest.mark.parametrize("seed", range(4))
def test_everybody_gets_the_same_whatever_the_weather(seed: int) -> None:
    async def scenario(flux: SimInstance) -> None:
        for turn in range(5):
            answers = await asyncio.gather(
                *(broker.rpc("reduce.enter", entry(flux.size, broker.rank + turn)) for broker in flux.brokers)
            )
            assert answers == [{"value": sum(range(20)) + 20 * turn}] * flux.size

    simulate(scenario, 20, seed, weather=ROUGH, modules=("heartbeat", "reduce"))
