"""barrier: nobody leaves before all have come, and nobody waits for who will not come."""

import asyncio
from asyncio import Task
from collections.abc import Iterable
from errno import ECANCELED, ECONNABORTED, EEXIST, EINVAL, ENOSYS
from random import Random
from typing import Any

import pytest

from flux.modules.barrier.service import Barrier
from flux.testing.host import FakeHost, play
from flux.testing.instance import SimInstance, simulate
from flux.testing.network import ROUGH
from flux.testing.tree import FakeTree, grow
from flux.wire.message import OWNER, USER, Event


def enter(host: FakeHost, nprocs: int, sender: bytes = b"client", name: str = "b", **how: Any) -> "Task[Any]":
    return asyncio.ensure_future(host.call("barrier.enter", {"name": name, "nprocs": nprocs}, sender=sender, **how))


async def outcomes(tasks: "Iterable[Task[Any]]") -> list[int]:
    """0 for who has passed, or the errno of the refusal."""
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(answer == {} or isinstance(answer, OSError) for answer in answers)
    return [answer.errno or 0 if isinstance(answer, OSError) else 0 for answer in answers]


def failed(rank: int) -> Event:
    """What live says of a broker that is gone."""
    return Event(topic="live.cstate", data={"rank": rank, "ostate": 0, "nstate": 2}, rolemask=OWNER)


def leftovers(host: FakeHost) -> list[object]:
    """What a barrier that is over must not leave behind."""
    service = host.services["barrier"]
    assert isinstance(service, Barrier)
    return [*service._gates, *service._waiting, *service._decided]


def test_all_leave_together_wherever_they_are() -> None:
    async def scenario(tree: FakeTree) -> None:
        waiting = [enter(tree[rank], 14, b"%d" % n) for rank in range(7) for n in range(2)]
        await tree[0].advance(1)
        assert await outcomes(waiting) == [0] * 14
        assert not any(leftovers(host) for host in tree.hosts)

    grow(scenario, Barrier, FakeTree(7))


def test_nobody_leaves_before_the_last_one_has_come() -> None:
    async def scenario(tree: FakeTree) -> None:
        waiting = [enter(tree[rank], 3) for rank in (3, 6)]
        await tree[0].advance(100)
        assert not any(task.done() for task in waiting)
        assert await outcomes([*waiting, enter(tree[0], 3)]) == [0, 0, 0]

    grow(scenario, Barrier, FakeTree(7))


def test_one_is_enough_for_one() -> None:
    async def scenario(host: FakeHost) -> None:
        assert await outcomes([enter(host, 1)]) == [0]

    play(scenario, Barrier)


def test_a_name_is_free_again_as_soon_as_one_has_left() -> None:
    async def scenario(tree: FakeTree) -> None:
        async def walk(rank: int) -> None:
            for _ in range(20):
                await enter(tree[rank], 7)

        await asyncio.gather(*map(walk, range(7)))
        assert len(tree[0].events) == 20

    grow(scenario, Barrier, FakeTree(7))


def test_names_are_apart_and_guests_have_their_own() -> None:
    async def scenario(tree: FakeTree) -> None:
        a, b = enter(tree[1], 2, name="a"), enter(tree[2], 2, name="b")
        guests = [enter(tree[rank], 2, name="a", rolemask=USER | 4, userid=5, sender=b"g") for rank in (1, 2)]
        assert await outcomes(guests) == [0, 0]
        assert not a.done() and not b.done()
        assert await outcomes([a, b, enter(tree[0], 2, name="a"), enter(tree[0], 2, name="b")]) == [0] * 4

    grow(scenario, Barrier, FakeTree(3))


def test_a_second_entry_of_one_client_breaks_it_for_all() -> None:
    async def scenario(tree: FakeTree) -> None:
        waiting = [enter(tree[rank], 9) for rank in (1, 2)]
        await tree[0].advance()
        assert await outcomes([*waiting, enter(tree[1], 9)]) == [ECONNABORTED, ECONNABORTED, EEXIST]
        assert await outcomes([enter(tree[1], 2), enter(tree[2], 2)]) == [0, 0]

    grow(scenario, Barrier, FakeTree(3))


def test_a_waiter_that_hangs_up_breaks_it_for_all() -> None:
    async def scenario(tree: FakeTree) -> None:
        waiting = [enter(tree[rank], 9) for rank in (0, 3, 4)]
        enter(tree[6], 9, b"mortal").cancel()
        mortal = enter(tree[6], 9, b"mortal")
        await tree[0].advance()
        tree[6].disconnect(b"mortal")
        assert await outcomes(waiting) == [ECONNABORTED] * 3
        await tree[0].advance()
        assert await outcomes([mortal]) == [ECANCELED] and not any(leftovers(host) for host in tree.hosts)

    grow(scenario, Barrier, FakeTree(7))


def test_a_waiter_that_gives_up_breaks_it_for_all() -> None:
    async def scenario(host: FakeHost) -> None:
        waiting = enter(host, 3)
        said: list[int] = []
        asked = {"name": "b", "nprocs": 3}
        tag = host.request("barrier.enter", asked, lambda answer: said.append(answer.errnum), sender=b"x")
        host.request("barrier.cancel", {"matchtag": tag}, sender=b"x")
        assert (await outcomes([waiting]), said) == ([ECONNABORTED], [ECANCELED])

    play(scenario, Barrier)


@pytest.mark.parametrize("ranks", [(1, 1), (1, 2), (0, 3)])
def test_who_disagrees_on_the_number_breaks_it_wherever_they_are(ranks: tuple[int, int]) -> None:
    async def scenario(tree: FakeTree) -> None:
        first = enter(tree[ranks[0]], 4, b"a")
        await tree[0].advance()
        assert await outcomes([first, enter(tree[ranks[1]], 5, b"b")]) == [EINVAL, EINVAL]
        await tree[0].advance()
        assert not any(leftovers(host) for host in tree.hosts)

    grow(scenario, Barrier, FakeTree(7))


def test_a_number_below_one_is_refused() -> None:
    async def scenario(host: FakeHost) -> None:
        said = await host.refusal("barrier.enter", {"name": "b", "nprocs": 0})
        assert said == (EINVAL, "barrier b: nprocs must be at least 1, not 0")
        assert not leftovers(host)

    play(scenario, Barrier)


def test_a_broker_that_has_failed_breaks_what_its_callers_had_come_to_and_nothing_else() -> None:
    async def scenario(tree: FakeTree) -> None:
        waiting, other = [enter(tree[rank], 9) for rank in (2, 3)], enter(tree[2], 9, name="other")
        await tree[0].advance()
        tree.cut(3)
        tree[0].announce(failed(3))
        assert await outcomes(waiting[:1]) == [ECONNABORTED]
        assert not other.done()
        other.cancel()

    grow(scenario, Barrier, FakeTree(7))


def test_a_broker_that_moves_is_missed_for_a_moment_and_breaks_nothing() -> None:
    async def scenario(tree: FakeTree) -> None:
        waiting = [enter(tree[rank], 4) for rank in (1, 2, 3)]
        await tree[0].advance()
        tree.cut(1)
        await tree[0].advance()
        tree.adopt(1, 2)
        assert await outcomes([*waiting, enter(tree[4], 4)]) == [0] * 4

    grow(scenario, Barrier, FakeTree(7))


def test_a_broker_that_two_others_report_counts_once() -> None:
    async def scenario(tree: FakeTree) -> None:
        waiting = [enter(tree[rank], 3) for rank in (3, 4)]
        await tree[0].advance()
        tree[3].up = tree[2]  # it has moved, and rank 1 has not noticed
        tree[3].services["barrier"].parent_changed()
        await tree[0].advance()
        assert not any(task.done() for task in waiting)
        assert await outcomes([*waiting, enter(tree[0], 3)]) == [0, 0, 0]

    grow(scenario, Barrier, FakeTree(7))


def test_a_service_that_is_unloaded_breaks_what_its_clients_wait_for() -> None:
    async def scenario(tree: FakeTree) -> None:
        waiting = [enter(tree[rank], 9) for rank in (2, 3)]
        await tree[0].advance()
        await tree[3].unload("barrier")
        assert await outcomes(waiting) == [ECONNABORTED, ENOSYS]
        await tree[3].load(Barrier)
        assert await outcomes([enter(tree[rank], 2) for rank in (2, 3)]) == [0, 0]

    grow(scenario, Barrier, FakeTree(7))


def test_lost_events_leave_nobody_waiting_forever() -> None:
    async def scenario(tree: FakeTree) -> None:
        waiting = [enter(tree[rank], 9) for rank in (1, 2)]
        await tree[0].advance()
        tree[1].services["barrier"].events_lost()
        assert await outcomes(waiting) == [ECONNABORTED, ECONNABORTED]

    grow(scenario, Barrier, FakeTree(3))


@pytest.mark.parametrize("seed", range(20))
def test_nobody_leaves_early_in_any_weather(seed: int) -> None:
    async def scenario(flux: SimInstance) -> None:
        come: list[list[float]] = [[], [], []]
        left: list[list[float]] = [[], [], []]

        async def walk(rank: int) -> None:
            client = flux[rank].client()
            for n in range(3):
                await asyncio.sleep(60 * flux.random.random())
                come[n].append(flux.now())
                await client.rpc("barrier.enter", {"name": "b", "nprocs": 15})
                left[n].append(flux.now())

        await asyncio.gather(*map(walk, range(15)))
        assert all(max(before) <= min(after) for before, after in zip(come, left, strict=True))

    simulate(scenario, 15, seed, weather=ROUGH, modules=("heartbeat", "barrier"))


@pytest.mark.parametrize("seed", range(10))
def test_a_waiter_that_dies_at_any_moment_leaves_nobody_waiting(seed: int) -> None:
    async def scenario(flux: SimInstance) -> None:
        chance = Random(seed)
        clients = [flux[rank].client() for rank in range(7)]
        asked = [asyncio.ensure_future(c.rpc("barrier.enter", {"name": "b", "nprocs": 7})) for c in clients]
        await asyncio.sleep(chance.choice((0, 0.001, 0.01)))
        victim = chance.randrange(7)
        flux[victim].leave(clients[victim])
        rest = [task for rank, task in enumerate(asked) if rank != victim]
        said = set(await outcomes(rest))
        assert said in ({0}, {ECONNABORTED})
        asked[victim].cancel()

    simulate(scenario, 7, seed, weather=ROUGH, modules=("heartbeat", "barrier"))
