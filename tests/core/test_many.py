"""Multicast and reduction as programs use them, blocking and with asyncio, in a session of four brokers."""

import asyncio
from errno import EINVAL, ENOSYS
from threading import Thread
from typing import Any

import pytest

import flux
import flux.aio
from flux.base.gathered import Gathered
from flux.base.idset import IDset
from tests.session import Session

RANK = {"name": "rank"}


def check(size: Gathered, ranks: Gathered) -> None:
    assert [(str(where), answer["value"]) for where, answer in size.answers] == [("0-3", "4")]
    assert {rank: answer["value"] for rank, answer in ranks.by_rank().items()} == {1: "1", 3: "3"}


def test_many_ranks_are_asked_at_once(session: Session) -> None:
    with flux.Flux(session.uri) as h:
        check(h.multicast("attr.get", {"name": "size"}), h.multicast("attr.get", RANK, [1, 3], within=60))
        found = h.multicast("nosuch.topic", ranks=IDset("0-1"))
        assert [(str(ranks), errnum) for ranks, errnum, _ in found.errors] == [("0-1", ENOSYS)]
        with pytest.raises(OSError, match="ranks 0-1: No service matching") as refused:
            found.check()
        assert refused.value.errno == ENOSYS


def test_many_ranks_are_asked_at_once_with_asyncio(session: Session) -> None:
    async def main() -> None:
        async with flux.aio.connect(session.uri) as h:
            check(await h.multicast("attr.get", {"name": "size"}), await h.multicast("attr.get", RANK, "1,3"))

    asyncio.run(main())


@pytest.mark.parametrize("ranks", ["0-9", "1-", "nonsense"])
def test_ranks_that_cannot_be_are_refused(session: Session, ranks: str) -> None:
    with flux.Flux(session.uri) as h, pytest.raises(OSError, match=r"ranks") as refused:
        h.multicast("attr.get", RANK, ranks)
    assert refused.value.errno == EINVAL


def test_a_stream_of_many_comes_merged(session: Session) -> None:
    with flux.Flux(session.uri) as h:
        states: dict[int, list[int]] = {}
        for found in h.multicast_stream("state-machine.monitor", {"final": 5}):
            for ranks, answer in found.answers:
                for rank in ranks:
                    states.setdefault(rank, []).append(answer["state"])
        assert set(states) == {0, 1, 2, 3} and all(len(told) == 1 for told in states.values())


def test_a_stream_of_many_comes_merged_with_asyncio(session: Session) -> None:
    async def main() -> None:
        ended = IDset()
        async with flux.aio.connect(session.uri) as h:
            async for found in h.multicast_stream("state-machine.monitor", {"final": 5}, "1-2"):
                ended.add(found.ended)
        assert str(ended) == "1-2"

    asyncio.run(main())


def test_programs_reduce_values_to_one(session: Session) -> None:
    got: list[Any] = []

    def take_part(number: int) -> None:
        with flux.Flux(session.uri) as h:
            got.append(h.reduce("words", f"w{number}", 3, "set"))

    threads = [Thread(target=take_part, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == [["w0", "w1", "w2"]] * 3


def test_programs_reduce_values_to_one_with_asyncio(session: Session) -> None:
    async def take_part(number: int) -> Any:
        async with flux.aio.connect(session.uri) as h:
            return await h.reduce("numbers", number, 4, "max")

    async def main() -> list[Any]:
        return await asyncio.gather(*map(take_part, range(4)))

    assert asyncio.run(main()) == [3] * 4
