"""A broker's part in a session: what each state does, and what the exit code says, on virtual time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from signal import SIGINT, SIGTERM
from typing import Any

import pytest

from flux.broker import session as states
from flux.overlay.lifecycle import State
from flux.overlay.router import UPWARD
from flux.testing.instance import LIMIT, Outcome, SimInstance, simulate
from flux.testing.network import ROUGH, Wall
from flux.testing.virtual import VirtualLoop


def codes(scenario: Any, size: int = 3, **how: Any) -> list[int]:
    """The exit codes of all brokers after a scenario, in whatever way the session ends."""

    async def play() -> list[int]:
        instance = SimInstance(asyncio.get_running_loop(), size, topo="kary:1", **how)
        async with asyncio.timeout(LIMIT):
            await scenario(instance)
            return list(await asyncio.gather(*(broker.session.ended for broker in instance.brokers)))

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(play())


def program(flux: SimInstance) -> Outcome:
    found = flux[0].program
    assert found is not None
    return found


def begin(flux: SimInstance) -> None:
    for broker in flux.brokers:
        broker.session.begin()


# -- a life in order --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_states_follow_each_other_from_the_root_up_and_from_the_leaves_down(seed: int) -> None:
    async def scenario(flux: SimInstance) -> None:
        await asyncio.sleep(0)

    order: list[tuple[int, State]] = []

    async def play() -> None:
        flux = SimInstance(asyncio.get_running_loop(), 5, seed, weather=ROUGH)
        for broker in flux.brokers:
            broker.life.watch(lambda state, rank=broker.rank: order.append((rank, state)))  # type: ignore[misc]
        await flux.up()
        await scenario(flux)
        await flux.down()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(play())
    for rank, parent in ((1, 0), (2, 0), (3, 1), (4, 1)):
        for state in (State.QUORUM, State.RUN, State.SHUTDOWN):
            assert order.index((parent, state)) < order.index((rank, state)), f"{state} of {rank} before {parent}"
        assert order.index((rank, State.FINALIZE)) < order.index((parent, State.FINALIZE))
    for rank in range(5):
        life = [state for who, state in order if who == rank]
        assert life == sorted(life) and life[-1] == State.EXIT


def test_the_exit_code_is_the_programs_and_the_others_end_well() -> None:
    async def scenario(flux: SimInstance) -> None:
        await flux.up()
        program(flux)._ended.set_result(7)

    assert codes(scenario) == [7, 0, 0]


def test_nobody_runs_before_all_are_there() -> None:
    async def scenario(flux: SimInstance) -> None:
        for broker in flux.brokers[:2]:
            broker.session.begin()
        await asyncio.sleep(60)
        assert [flux[rank].life.state for rank in range(2)] == [State.QUORUM, State.QUORUM]
        flux[2].session.begin()
        await asyncio.sleep(60)
        assert {broker.life.state for broker in flux.brokers} == {State.RUN}
        program(flux).stop()

    assert codes(scenario) == [0, 0, 0]


def test_a_smaller_quorum_runs_without_the_rest_who_may_come_later() -> None:
    async def scenario(flux: SimInstance) -> None:
        for broker in flux.brokers[:2]:
            broker.session.begin()
        await asyncio.sleep(60)
        assert flux[0].life.state == State.RUN
        flux[2].session.begin()
        await asyncio.sleep(60)
        assert flux[2].life.state == State.RUN
        program(flux).stop()

    assert codes(scenario, settings={"broker.quorum": "2"}) == [0, 0, 0]


def test_who_is_alone_on_the_ring_says_so_once_and_not_in_each_heartbeat() -> None:
    async def scenario(flux: SimInstance) -> None:
        flux[0].session.begin()
        await asyncio.sleep(60)
        responses = flux[0].client().stream("log.dmesg", {"follow": False}).responses()
        said = [str(response.data) async for response in responses]
        assert len([line for line in said if "ring: rank 2 is passed over: rank 0 misses it" in line]) == 1
        for broker in flux.brokers[1:]:
            broker.session.begin()
        await asyncio.sleep(60)
        program(flux).stop()

    assert codes(scenario, settings={"broker.quorum": "1"}) == [0, 0, 0]


# -- signals and requests to end --------------------------------------------------------------------------------------


@pytest.mark.parametrize("signum", [SIGTERM, SIGINT])
def test_a_signal_while_the_session_comes_up_ends_it(signum: int) -> None:
    async def scenario(flux: SimInstance) -> None:
        for broker in flux.brokers[:2]:
            broker.session.begin()
        await asyncio.sleep(1)
        flux[0].session.signal(signum)
        flux[2].session.begin()

    root, middle, last = codes(scenario)
    assert root == 128 + signum
    assert middle == 0
    assert last == 1  # nobody took it in


def test_a_signal_to_another_broker_makes_it_and_those_below_it_leave() -> None:
    async def scenario(flux: SimInstance) -> None:
        await flux.up()
        await flux.settle()
        flux[1].session.signal(SIGINT)  # which is for the program, and there is none here
        flux[1].session.signal(SIGTERM)
        await flux[1].session.ended
        assert flux[0].life.state == State.RUN
        program(flux).stop()

    assert codes(scenario) == [0, 128 + SIGTERM, 0]


def test_shutdown_by_request_streams_how_it_goes() -> None:
    async def scenario(flux: SimInstance) -> None:
        await flux.up()
        lines = [line["log"] async for line in flux[0].stream("shutdown.start", {"loglevel": 6})]
        assert [line.rpartition(" ")[2] for line in lines[:4]] == ["cleanup", "shutdown", "finalize", "goodbye"]

    assert codes(scenario) == [0, 0, 0]


# -- what fails -------------------------------------------------------------------------------------------------------


def test_a_module_that_does_not_load_ends_the_session_and_is_named() -> None:
    async def scenario(flux: SimInstance) -> None:
        begin(flux)
        await flux[0].session.ended
        assert flux[0].session.failure.startswith("heartbeat.period: 'nonsense' is not a duration")

    assert codes(scenario, settings={"heartbeat.period": "nonsense"})[0] == 1


def test_a_parent_that_is_lost_is_replaced_by_the_one_above_it() -> None:
    async def scenario(flux: SimInstance) -> None:
        await flux.up()
        flux.kill(1)
        await flux.settle()
        assert flux[2].node.parent == UPWARD + flux[0].uuid.encode()
        program(flux).stop()
        await flux[2].session.ended
        flux[1].session.ended.set_result(0)

    assert codes(scenario) == [0, 0, 0]


def test_without_rank_0_everybody_ends_and_says_why() -> None:
    async def scenario(flux: SimInstance) -> None:
        await flux.up()
        flux.kill(0)
        for rank in (1, 2):
            await flux[rank].session.ended
        assert flux[1].session.failure == "lost the parent: connection lost"
        flux[0].session.ended.set_result(0)

    assert codes(scenario) == [0, 1, 0]


def test_a_newcomer_whose_parent_dies_gets_the_configuration_from_the_next_one() -> None:
    async def scenario(flux: SimInstance) -> None:
        for broker in flux.brokers[:2]:
            broker.session.begin()
        await asyncio.sleep(60)

        def told(state: State) -> None:
            if state is State.CONFIG_SYNC:
                flux.loop.call_soon(flux.kill, 1)

        flux[2].life.watch(told)
        flux[2].session.begin()
        await asyncio.sleep(60)
        assert flux[2].life.state == State.RUN
        assert flux[2].node.parent == UPWARD + flux[0].uuid.encode()
        program(flux).stop()
        flux[1].session.ended.set_result(0)

    assert codes(scenario, settings={"broker.quorum": "2"}) == [0, 0, 0]


def seek_in_vain(flux: SimInstance, rank: int) -> Wall:
    """A broker loses its parent, and hears nothing from anybody that could become that."""
    wall = Wall([flux[rank].uuid], [broker.uuid for broker in flux.brokers[:rank]], silent=True)
    flux.network.raise_wall(wall)
    parent = flux[rank].node.parent
    assert parent is not None
    flux[rank].share.do(flux[rank].broker.give_up, parent, "silent")
    return wall


def test_a_newcomer_waits_for_a_parent_that_is_looking_for_one_itself() -> None:
    async def scenario(flux: SimInstance) -> None:
        for broker in flux.brokers[:2]:
            broker.session.begin()
        await asyncio.sleep(60)
        wall = seek_in_vain(flux, 1)
        flux[2].session.begin()
        await asyncio.sleep(3)
        assert not flux[2].node.joined
        flux.network.lift(wall)
        await asyncio.sleep(60)
        assert flux[2].life.state == State.RUN
        program(flux).stop()

    assert codes(scenario, settings={"broker.quorum": "2"}) == [0, 0, 0]


def test_who_has_ended_says_hello_to_nobody() -> None:
    async def scenario(flux: SimInstance) -> None:
        await flux.up()
        await flux.settle()
        wall = seek_in_vain(flux, 2)
        flux[2].session.signal(SIGTERM)
        await flux[2].session.ended
        await asyncio.sleep(2)
        flux.network.lift(wall)
        await flux.settle()
        assert not flux[2].node.joined
        assert flux[0].node.router.routes.link(2) is None
        program(flux).stop()

    assert codes(scenario) == [0, 0, 128 + SIGTERM]


def test_who_is_disconnected_for_good_leaves_and_says_why() -> None:
    async def scenario(flux: SimInstance) -> None:
        await flux.up()
        link = flux[2].uuid.encode()
        flux[1].broker.act(flux[1].node.dismiss(link, "no more of it", for_good=True))
        await flux[2].session.ended
        assert flux[2].session.failure == "lost the parent: disconnected by its parent"
        program(flux).stop()

    assert codes(scenario) == [0, 0, 1]


def test_a_broker_that_leaves_hands_its_children_to_its_own_parent() -> None:
    async def scenario(flux: SimInstance) -> None:
        await flux.up()
        flux[1].session.signal(SIGTERM)
        await flux[1].session.ended
        await flux.settle()
        assert flux[2].life.state == State.RUN
        assert flux[2].node.parent == UPWARD + flux[0].uuid.encode()
        program(flux).stop()

    assert codes(scenario) == [0, 128 + SIGTERM, 0]


def test_a_parent_that_does_not_answer_a_goodbye_is_not_waited_for_long() -> None:
    async def scenario(flux: SimInstance) -> None:
        await flux.up()
        async with silent(flux, 0):
            flux[1].session.signal(SIGTERM)
            before = flux.now()
            await flux[1].session.ended
            assert flux.now() - before <= 2 * states.GOODBYE_TIMEOUT
        program(flux).stop()

    assert codes(scenario, 2) == [0, 128 + SIGTERM]


@asynccontextmanager
async def silent(flux: SimInstance, rank: int) -> AsyncIterator[None]:
    """A broker that hears nothing for a while."""
    links = flux[rank].links
    before, links.ears = links.ears, links.ears._replace(receive=lambda msg, link, mark: None)
    yield
    links.ears = before


# -- the services that show it ----------------------------------------------------------------------------------------


def test_the_state_can_be_asked_waited_for_and_followed() -> None:
    async def scenario(flux: SimInstance) -> None:
        seen: list[int] = []

        async def follow() -> None:
            seen.extend([answer["state"] async for answer in flux[0].stream("state-machine.monitor", {"final": 7})])

        flux[0].session.begin()
        await asyncio.sleep(1)
        following = asyncio.ensure_future(follow())
        waiting = asyncio.ensure_future(flux[0].rpc("state-machine.wait"))
        assert (await flux[0].rpc("state-machine.get"))["state"] == "quorum"
        assert (await flux[0].rpc("state-machine.monitor"))["state"] == State.QUORUM
        for broker in flux.brokers[1:]:
            broker.session.begin()
        await waiting
        assert (await flux[0].rpc("state-machine.get"))["state"] == "run"
        await flux[0].rpc("state-machine.wait")
        program(flux).stop()
        await following
        assert seen == [State.QUORUM, State.RUN, State.CLEANUP, State.SHUTDOWN]

    assert codes(scenario) == [0, 0, 0]


def test_who_waits_for_a_session_that_ends_instead_is_told() -> None:
    async def scenario(flux: SimInstance) -> None:
        flux[0].session.begin()
        await asyncio.sleep(1)
        waiting = asyncio.ensure_future(flux[0].rpc("state-machine.wait"))
        await asyncio.sleep(1)
        flux[0].session.signal(SIGTERM)
        with pytest.raises(OSError, match="the broker is shutting down"):
            await waiting
        begin_rest(flux)

    assert codes(scenario, 2)[0] == 128 + SIGTERM


def begin_rest(flux: SimInstance) -> None:
    for broker in flux.brokers[1:]:
        broker.session.begin()


def test_the_tree_is_shown_as_it_is_wired() -> None:
    async def scenario(flux: SimInstance) -> None:
        assert await flux[0].rpc("overlay.topology", {"rank": 0}) == {
            "rank": 0,
            "size": 4,
            "children": [
                {"rank": 1, "size": 2, "children": [{"rank": 3, "size": 1, "children": []}]},
                {"rank": 2, "size": 1, "children": []},
            ],
        }
        assert await flux[0].rpc("overlay.topology", {"rank": 1}) == {
            "rank": 1,
            "size": 2,
            "children": [{"rank": 3, "size": 1, "children": []}],
        }
        for rank in (3, 4):
            with pytest.raises(OSError, match=f"rank {rank} is neither this broker nor its direct child"):
                await flux[0].rpc("overlay.topology", {"rank": rank})
        figures = await flux[1].rpc("overlay.stats-get", nodeid=1)
        assert (figures["child-count"], figures["child-connected"], figures["parent-count"]) == (1, 1, 1)

    simulate(scenario, 4)


def test_an_event_that_is_published_by_request_has_a_number_on_every_rank() -> None:
    async def scenario(flux: SimInstance) -> None:
        ear = flux[2].client()
        heard = ear.listen("sim.")
        numbers = [
            (await flux[rank].rpc("event.publish", {"topic": "sim.a", "flags": 0, "payload": "e30A"}))["seq"]
            for rank in (0, 1, 2)
        ]
        events = [await heard.get() for _ in numbers]
        assert [event.sequence for event in events] == numbers == sorted(numbers)
        assert [event.body() for event in events] == [{}, {}, {}]
        for payload, said in (
            ({"topic": ""}, "topic is empty"),
            ({"topic": "a", "flags": 1}, "unknown flags 0x1"),
            ({"topic": "a", "payload": "§"}, "payload is not base64"),
        ):
            with pytest.raises(OSError, match=said):
                await flux[0].rpc("event.publish", payload)

    simulate(scenario, 3)


def test_a_broker_says_where_its_parts_are_and_what_its_environment_has() -> None:
    async def scenario(flux: SimInstance) -> None:
        answer = await flux[0].rpc("broker.conf-builtin", {"keys": ["rundir", "confdir"]})
        assert [path[0] for path in answer["values"].values()] == ["/", "/"]
        with pytest.raises(OSError, match="nosuch is invalid"):
            await flux[0].rpc("broker.conf-builtin", {"keys": ["nosuch"]})
        await flux[0].rpc("broker.setenv", {"env": {"TEST_OF_FLUX": "1"}})
        assert await flux[0].rpc("broker.getenv", {"names": ["TEST_OF_FLUX", "TEST_NOSUCH"]}) == {
            "env": {"TEST_OF_FLUX": "1"}
        }
        await flux[0].rpc("broker.setenv", {"env": {"TEST_OF_FLUX": None}})
        assert await flux[0].rpc("broker.getenv", {"names": ["TEST_OF_FLUX"]}) == {"env": {}}

    simulate(scenario, 1)


def test_a_state_that_is_past_is_not_told_to_who_waits_for_an_earlier_one() -> None:
    async def scenario(flux: SimInstance) -> None:
        for final, wanted in ((State.QUORUM, []), (State.RUN, [State.RUN])):
            told = [answer["state"] async for answer in flux[0].stream("state-machine.monitor", {"final": int(final)})]
            assert told == wanted

    simulate(scenario, 1)
