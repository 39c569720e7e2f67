"""The simulator itself: it repeats a run, it notices what hangs and what is left behind, and it is fast with many."""

import asyncio
import subprocess
import sys
from typing import Any

import pytest

from flux.overlay.router import UPWARD
from flux.runtime.wiring import Ears
from flux.testing import sim
from flux.testing.network import Network
from flux.testing.sim import CALM, ROUGH, SimInstance, Stuck, simulate
from flux.testing.traces import traces
from flux.testing.virtual import VirtualLoop
from flux.wire.message import Message, Request

REPEATED = """
from tests.sim.test_simulator import fingerprint
print(fingerprint(7))
"""


async def nothing(flux: SimInstance) -> None:
    """A session that is only begun and ended."""


async def busy(flux: SimInstance) -> None:
    await sim.barrier(flux)
    await sim.event(flux)


def fingerprint(seed: int) -> tuple[int, float]:
    """What two runs can only share if they are one run."""
    flux = simulate(busy, 9, seed, weather=ROUGH)
    return flux.network.messages, flux.now()


def test_the_same_seed_is_the_same_run_in_another_process_too() -> None:
    def elsewhere() -> str:
        done = subprocess.run([sys.executable, "-c", REPEATED], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    assert elsewhere() == elsewhere() == str(fingerprint(7))
    assert fingerprint(7) != fingerprint(8)


def test_a_wait_for_nothing_fails_at_once() -> None:
    async def wait() -> None:
        await asyncio.get_running_loop().create_future()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner, pytest.raises(Stuck):
        runner.run(wait())


def test_a_scenario_that_waits_for_nothing_fails_although_a_heart_beats() -> None:
    async def wait(flux: SimInstance) -> None:
        await flux.loop.create_future()

    with pytest.raises(Stuck, match="not done after 3600 virtual seconds"):
        simulate(wait, 1)


def test_time_passes_only_where_somebody_sleeps() -> None:
    async def sleep() -> float:
        await asyncio.sleep(1e6)
        return asyncio.get_running_loop().time()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        assert runner.run(sleep()) == 1e6


def test_messages_of_one_lane_arrive_in_order_whatever_their_delays() -> None:
    async def send() -> list[str]:
        loop = asyncio.get_running_loop()
        instance = SimInstance(loop, 1, 3, weather=ROUGH)
        network, came = Network(loop, instance.random, ROUGH), list[str]()

        def came_in(msg: Message, link: bytes, mark: int) -> None:
            came.append(getattr(msg, "topic", ""))

        def lost(*what: object) -> None:
            raise AssertionError(what)

        ends = [network.links(name, Ears(note, lost, lost)) for name, note in (("a", lost), ("b", came_in))]
        ends[0].connect("b")
        for n in range(100):
            ends[0].send(UPWARD + b"b", Request(topic=str(n)), 0)
        await asyncio.sleep(10)
        return came

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        assert runner.run(send()) == [str(n) for n in range(100)]


def test_a_name_is_found_wherever_it_is_held() -> None:
    who = b"somebody who left"
    asked = Request(topic="a.b", route=(b"hop", who))

    def kept(by: Any = asked) -> None: ...

    for holder in ({who: 1}, [asked], {"calls": {(who, 3): None}}, lambda: asked, kept, {frozenset([who])}):
        assert len(traces([holder], {who}, ())) == 1, holder
    assert traces([{b"somebody else": 1}], {who}, ()) == []
    assert traces([[asked]], {who}, (Request,)) == []


def test_a_client_that_is_not_forgotten_fails_the_simulation() -> None:
    async def forgetful(flux: SimInstance) -> None:
        face = flux[1].client()
        flux[1].broker.services[next(iter(flux[1].broker.services))].debug_flags = face.id  # type: ignore[assignment]
        flux[1].leave(face)

    with pytest.raises(AssertionError, match="rank 1 still knows clients that left"):
        simulate(forgetful, 2)


@pytest.mark.parametrize("rough", [False, True])
def test_a_session_is_simulated_and_measured(rough: bool, capsys: pytest.CaptureFixture[str]) -> None:
    assert sim.main(["--brokers", "20", "--topo", "kary:4", "--seed", "3", *(["--rough"] if rough else [])]) == 0
    first, *lines = capsys.readouterr().out.splitlines()
    assert first == f"20 brokers, kary:4, seed 3, {'rough' if rough else 'calm'} weather"
    assert [line[:16].strip() for line in lines] == [
        *("wire-up", "barrier by all", "1000 puts", "event to all", "multicast to all", "end", "in all")
    ]


def test_a_thousand_brokers_come_up_and_go_down() -> None:
    flux = simulate(nothing, 1000, weather=CALM, modules=("barrier",))
    assert flux.network.messages < 1000 * 40  # some per broker, not per pair of brokers


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--brokers", "0"], "argument --brokers: invalid number value: '0'"),
        (["--topo", "foo"], "tbon.topo: unknown topology 'foo' (known: kary:K, mincrit"),
    ],
)
def test_a_session_that_cannot_be_is_one_line(
    words: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code: Any = sim.main(words)
    except SystemExit as exit:
        code = exit.code
    assert code in (1, 2)
    assert reason in capsys.readouterr().err.splitlines()[-1]
