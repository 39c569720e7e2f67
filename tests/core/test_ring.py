"""Requests that go round the ring, blocking and with asyncio, in a session of four brokers."""

import asyncio
from errno import EHOSTUNREACH, EINVAL

import pytest

import flux
import flux.aio
from flux.constants import FLUX_NODEID_RING
from tests.session import Session


def test_a_request_goes_round_the_ring_to_its_rank(session: Session) -> None:
    with flux.Flux(session.uri) as h:
        for rank in range(4):
            answer = h.rpc("broker.ping", {}, nodeid=rank, ring=True).get()
            assert answer["rank"] == rank
            assert len(answer["route"].split("!")) == rank + 2
        assert h.rpc("broker.ping", {}, nodeid=FLUX_NODEID_RING | 2).get()["rank"] == 2


def test_a_rank_that_is_none_is_unreachable_after_one_lap(session: Session) -> None:
    with flux.Flux(session.uri) as h, pytest.raises(OSError) as refused:
        h.rpc("broker.ping", {}, nodeid=99, ring=True).get()
    assert refused.value.errno == EHOSTUNREACH


def test_a_stream_comes_back_round_the_ring(session: Session) -> None:
    with flux.Flux(session.uri) as h:
        for answer in h.stream("state-machine.monitor", {}, nodeid=3, ring=True):
            assert answer == {"state": 5}
            break


def test_without_a_rank_there_is_no_way_round(session: Session) -> None:
    with flux.Flux(session.uri) as h, pytest.raises(OSError, match="only a rank") as refused:
        h.rpc("broker.ping", {}, ring=True)
    assert refused.value.errno == EINVAL


def test_asyncio_clients_go_round_as_well(session: Session) -> None:
    async def main() -> None:
        async with flux.aio.connect(session.uri) as h:
            assert (await h.rpc("broker.ping", {}, nodeid=2, ring=True))["rank"] == 2
            async for answer in h.stream("state-machine.monitor", {}, nodeid=1, ring=True):
                assert answer == {"state": 5}
                break

    asyncio.run(main())
