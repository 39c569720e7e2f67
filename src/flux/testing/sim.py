"""Whole sessions in one process on virtual time: `simulate` for tests; as a program, what a large one costs."""

import asyncio
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Awaitable, Callable
from typing import Any

from flux.base.gathered import TOPIC, Gathered, question
from flux.base.idset import IDset
from flux.runtime import system
from flux.testing.instance import SimBroker, SimInstance, simulate
from flux.testing.network import CALM, ROUGH, Weather
from flux.testing.virtual import Stuck, VirtualLoop

__all__ = ["CALM", "ROUGH", "SimBroker", "SimInstance", "Stuck", "Weather", "simulate"]

PUTS = 1000
Phase = Callable[[SimInstance], Awaitable[None]]


def main(argv: list[str]) -> int:
    """Runs a session of many brokers through its life, and prints what each part of it took."""
    args = parser().parse_args(argv)
    try:
        phases = play(args)
    except OSError as error:
        print(f"sim: {error.strerror}", file=sys.stderr)
        return 1
    for phase in phases:
        print(phase)
    return 0


def parser() -> ArgumentParser:
    """The options."""
    made = ArgumentParser(
        prog="./dev sim", description="Simulate a session: wire-up, barrier, puts, an event, the end."
    )
    made.add_argument("--brokers", type=number, default=1000, metavar="N", help="how many (default: 1000)")
    made.add_argument("--seed", type=int, default=0, help="another seed is another run (default: 0)")
    made.add_argument("--topo", default="kary:2", help="the shape of the tree (default: kary:2)")
    made.add_argument("--rough", action="store_true", help="with delays, and with events that get lost")
    return made


def play(args: Namespace) -> list[str]:
    """Simulates; returns a line for each part, and one for all."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(_play(args))


async def _play(args: Namespace) -> list[str]:
    loop, before, begun = asyncio.get_running_loop(), system.resident(), system.wall()
    weather = ROUGH if args.rough else CALM
    flux = SimInstance(loop, args.brokers, args.seed, topo=args.topo, weather=weather)
    meter = _Meter(flux, begun)
    lines = [f"{flux.size} brokers, {flux.tree}, seed {args.seed}, {'rough' if args.rough else 'calm'} weather"]
    phases: dict[str, Phase] = {
        "wire-up": SimInstance.up,
        "barrier by all": barrier,
        f"{PUTS} puts": puts,
        "event to all": event,
        "multicast to all": multicast,
    }
    for name, phase in phases.items():
        await phase(flux)
        lines.append(meter.line(name))
    kilobytes = (system.resident() - before) / 1024 / flux.size
    await flux.down()
    lines.append(meter.line("end"))
    lines.append(f"{'in all':16}{system.wall() - begun:8.2f} s, {kilobytes:.0f} KB per broker")
    return lines


async def barrier(flux: SimInstance) -> None:
    """Everybody enters one barrier."""
    entry = {"name": "sim", "nprocs": flux.size}
    await asyncio.gather(*(broker.rpc("barrier.enter", entry) for broker in flux.brokers))


async def puts(flux: SimInstance) -> None:
    """Commits a thousand keys, each by a client of its own, spread over all brokers; rank 0 then reads one."""
    await asyncio.gather(*(put(flux[n % flux.size], f"sim.{n}", "MQ==") for n in range(PUTS)))
    question = {"key": "sim.0", "flags": 0, "namespace": "primary"}
    assert (await flux[0].rpc("kvs.lookup", question))["val"]["data"] == "MQ=="


async def put(broker: SimBroker, key: str, data: str) -> dict[str, Any]:
    """Commits one key; `data` is the base64 of its value."""
    op = {"key": key, "flags": 0, "dirent": {"data": data, "type": "val", "ver": 1}}
    return await broker.rpc("kvs.commit", {"ops": [op], "namespace": "primary", "flags": 0})


async def event(flux: SimInstance) -> None:
    """The last rank publishes one event that everybody waits for."""
    ears = [broker.client() for broker in flux.brokers]
    queues = [ear.listen("sim.event") for ear in ears]
    ears[-1].publish("sim.event")
    await asyncio.gather(*(queue.get() for queue in queues))
    for broker, ear in zip(flux.brokers, ears, strict=True):
        broker.leave(ear)


async def multicast(flux: SimInstance) -> None:
    """The last rank asks all of them by one request."""
    found = Gathered.read(await flux[flux.size - 1].rpc(TOPIC, question("attr.get", {"name": "size"})))
    assert [(str(ranks), answer["value"]) for ranks, answer in found.answers] == [
        (str(IDset(range(flux.size))), str(flux.size))
    ]


class _Meter:
    """What each part took: seconds on the wall, virtual seconds, messages per broker."""

    def __init__(self, flux: SimInstance, begun: float) -> None:
        self._flux, self._wall, self._virtual, self._messages = flux, begun, flux.now(), 0

    def line(self, name: str) -> str:
        """A line about what was done since the last one."""
        flux, wall, virtual, messages = self._flux, system.wall(), self._flux.now(), self._flux.network.messages
        spent, passed = wall - self._wall, virtual - self._virtual
        each = (messages - self._messages) / flux.size
        self._wall, self._virtual, self._messages = wall, virtual, messages
        return f"{name:16}{spent:8.2f} s, {passed:8.3f} s virtual, {each:8.1f} messages per broker"


def number(text: str) -> int:
    """Reads a number of brokers."""
    count = int(text)
    if count < 1:
        raise ValueError(text)
    return count


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
