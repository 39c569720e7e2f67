"""What holds in sessions where much goes wrong at once: cases as those in cases.py, with faults from the seed."""

import asyncio
from random import Random

from flux.overlay.events import EventLog
from flux.testing.sim import SimBroker, SimInstance
from tests.sim.cases import BEAT, CASES, case
from tests.sim.storm import EVERYTHING, Fault, Storm, Strength
from tests.sim.witness import Witness

__all__ = ["CASES"]

WHOLE = 15 * BEAT
"""Seconds after the last fault in which the tree is whole again: twice live.max-idle, and a few beats."""


def some(seed: int) -> int:
    """How many brokers: few on the first seeds, on the others up to 300."""
    dice = Random(seed)
    return dice.randrange(2, 40) if seed < 20 else int(2 * 150 ** dice.random())


async def _weather_out(flux: SimInstance, faults: tuple[Fault, ...], strength: Strength) -> None:
    """Lets faults happen while everybody works; in the end all is as it should be."""
    storm = Storm(flux, strength)
    witness = Witness(flux, storm)
    working = asyncio.ensure_future(witness.work())
    try:
        await storm.blow(faults)
        await asyncio.sleep(WHOLE)
        assert not witness.whole(), witness.whole()
        witness.over()
        await asyncio.gather(working, flux.settle())
        await witness.check()
        assert not witness.wrong, "\n".join(witness.wrong)
    except BaseException as error:
        error.add_note("\n".join(storm.story))
        raise


@case(some)
async def whatever_happens_all_is_well_in_the_end(flux: SimInstance) -> None:
    await _weather_out(flux, EVERYTHING, Strength(flux.random.randrange(1, 12), 8.0, 30.0))


@case(some)
async def brokers_that_die_and_come_back_leave_no_damage(flux: SimInstance) -> None:
    await _weather_out(flux, (Storm.crash,), Strength(flux.random.randrange(1, 8), 4.0, 30.0))


@case(some)
async def brokers_that_stop_for_a_while_or_are_slow_are_taken_in_again(flux: SimInstance) -> None:
    await _weather_out(
        flux, (Storm.stopped_broker, Storm.slow_broker), Strength(flux.random.randrange(1, 8), 8.0, 40.0)
    )


@case(some)
async def links_that_break_or_fall_silent_are_gone_round(flux: SimInstance) -> None:
    faults = (Storm.broken_link, Storm.silent_link)
    await _weather_out(flux, faults, Strength(flux.random.randrange(1, 12), 6.0, 40.0))


@case(some)
async def parts_that_are_cut_off_come_together_again(flux: SimInstance) -> None:
    await _weather_out(flux, (Storm.partition, Storm.move), Strength(flux.random.randrange(1, 6), 15.0, 25.0))


@case(some)
async def a_tree_that_is_rewired_all_the_time_stays_a_tree(flux: SimInstance) -> None:
    await _weather_out(flux, (Storm.move,), Strength(flux.random.randrange(5, 80), 0.5, 1.0))


@case(some)
async def without_rank_0_everybody_ends_soon(flux: SimInstance) -> None:
    storm = Storm(flux, Strength(2, 3.0, 10.0))
    await storm.blow((Storm.broken_link, Storm.move))
    told = flux.random.random() < 0.5
    flux.kill(0, told=told)
    longest = 30.0 if told else 100.0
    await asyncio.sleep(longest)
    living = [(broker.rank, str(broker.life.state)) for broker in flux.alive if not broker.session.ended.done()]
    assert not living, f"{longest} s after rank 0 has died{' unnoticed' * (not told)}: {living}"


@case(some)
async def what_is_missed_for_good_is_said_to_be_lost_and_all_catch_up(flux: SimInstance) -> None:
    for broker in flux.brokers:
        _forgetful(broker)
    await _weather_out(flux, EVERYTHING, Strength(flux.random.randrange(1, 8), 6.0, 30.0))


def _forgetful(broker: SimBroker) -> None:
    """Keeps a few events only: who missed more of them cannot have them again."""
    short = EventLog(kept=4)
    short.last = broker.node.events.last
    broker.node.events = short


@case(some)
async def a_barrier_is_passed_once_by_all_while_everybody_moves(flux: SimInstance) -> None:
    storm = Storm(flux, Strength(flux.random.randrange(5, 40), 0.5, 1.0))
    moving = asyncio.ensure_future(storm.blow((Storm.move,)))
    while not moving.done():
        entered, left = list[float](), list[float]()

        async def walk(broker: SimBroker, entered: list[float] = entered, left: list[float] = left) -> None:
            await asyncio.sleep(3 * flux.random.random())
            entered.append(flux.now())
            await broker.rpc("barrier.enter", {"name": "b", "nprocs": 2 * flux.size})
            left.append(flux.now())

        async with asyncio.timeout(60):
            await asyncio.gather(*(walk(broker) for broker in (*flux.brokers, *flux.brokers)))
        assert len(left) == 2 * flux.size
        assert min(left) >= max(entered)
    await moving
