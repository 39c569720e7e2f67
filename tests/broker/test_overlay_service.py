"""What a broker says of the tree while that changes."""

from typing import Any

from flux.testing.instance import SimInstance, simulate
from tests.overlay.test_wired import shape


async def tree(flux: SimInstance, rank: int = 0) -> Any:
    return shape(await flux[rank].rpc("overlay.topology", {"rank": rank}, nodeid=rank))


def test_the_tree_is_shown_as_it_was_rewired_and_who_is_dead_is_a_leaf() -> None:
    async def scenario(flux: SimInstance) -> None:
        await flux[0].rpc("overlay.reparent", {"rank": 2}, nodeid=1)
        assert await tree(flux) == (0, [(2, [(1, [(3, []), (4, [])]), (5, []), (6, [])])])
        flux.kill(1)
        await flux.settle()
        assert await tree(flux, 2) == (2, [(3, []), (4, []), (5, []), (6, [])])
        assert await tree(flux) == (0, [(1, []), (2, [(3, []), (4, []), (5, []), (6, [])])])

    simulate(scenario, 7)


def test_a_broker_that_does_not_say_who_is_below_it_keeps_nobody_waiting_for_long() -> None:
    async def scenario(flux: SimInstance) -> None:
        flux.stop(1)
        begun = flux.now()
        assert await tree(flux) == (0, [(1, [(3, []), (4, [])]), (2, [(5, []), (6, [])])])
        assert flux.now() - begun < 1.5
        flux.go_on(1)

    simulate(scenario, 7)


def test_who_follows_the_health_of_a_broker_is_told_when_it_changes() -> None:
    async def scenario(flux: SimInstance) -> None:
        seen = []
        async for health in flux[0].stream("overlay.health"):
            seen.append(health["status"])
            if len(seen) == 1:
                flux.kill(3)
            elif len(seen) == 2:
                flux.rejoin(3)
            else:
                break
        assert seen == ["full", "degraded", "full"]

    simulate(scenario, 7)
