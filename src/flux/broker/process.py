"""One broker as a process, from its first line to its exit code: all that a broker needs is made and joined here."""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from flux.base.jobid import JobID
from flux.base.version import INTERFACE
from flux.broker import boot
from flux.broker.attributes import AttributeTable
from flux.broker.broker import Broker
from flux.broker.defaults import CHANGEABLE, check
from flux.broker.host import BrokerHost, Clock
from flux.broker.life import Life
from flux.broker.modules import ModuleTable
from flux.broker.options import BrokerOptions
from flux.broker.program import InitialProgram
from flux.broker.session import Session
from flux.overlay.card import Card
from flux.overlay.lifecycle import State
from flux.overlay.node import Node
from flux.overlay.topology import Kary, topology
from flux.runtime import rundir, system
from flux.runtime.keeper import Keeper, fork_keeper
from flux.runtime.linux import set_process_name
from flux.runtime.listener import listen
from flux.runtime.pmi import Bootstrap
from flux.runtime.spawn import Spawner
from flux.runtime.wiring import Ears, Endpoint, Wiring

THRESHOLDS = (700, 10, 10)
"""Python's own: while it starts, the `flux` command collects no garbage."""


def main(options: BrokerOptions, pmi: Bootstrap | None = None, keeper: Keeper | None = None) -> int:
    """Runs one broker to its end; returns the exit code. What goes wrong is one line on stderr and exit code 1.

    A broker that nobody gives these finds PMI by its environment, and forks a keeper of its own.
    """
    try:
        pmi = pmi or Bootstrap()
    except OSError as error:
        system.to_stderr(f"flux-broker: {error.strerror}")
        return 1
    set_process_name(f"flux-broker-{pmi.rank}")
    keeper = keeper or fork_keeper()
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(Process(options, pmi, keeper).run())
    except OSError as error:
        system.to_stderr(f"flux-broker: rank {pmi.rank}: {error.strerror or error}")
        pmi.abort(1, "broker could not start")
        return 1


class Process:
    """The making of one broker, and its unmaking."""

    def __init__(self, options: BrokerOptions, pmi: Bootstrap, keeper: Keeper) -> None:
        self._options, self._pmi, self._keeper = options, pmi, keeper
        self._uuid = boot.identity(pmi)
        self._own_rundir = ""

    async def run(self) -> int:
        """Starts, runs, ends. The run directory goes with us if we made it, or if who made it is gone."""
        self._loop = asyncio.get_running_loop()
        self._spawner = Spawner(self._keeper, self._loop)
        wiring: Wiring | None = None
        try:
            attributes = self._attributes()
            tree = topology(attributes.get("tbon.topo"), self._pmi.size)
            boot.check_descriptors(self._pmi.rank, tree)
            self._describe(attributes, tree)
            wiring, connect = self._wire(attributes, tree)
            session = self._assemble(attributes, tree, wiring, connect)
            self._watch_signals(session)
            self._watch_lifeline(session)
            self._spawner.on_lost = lambda: session.abandon("the keeper of this broker's processes died")
            _settle_collector()
            session.begin()
            code: int = await session.ended
            if session.failure:
                system.to_stderr(f"flux-broker: rank {self._pmi.rank}: {session.failure}")
            return code
        finally:
            if wiring is not None:
                wiring.close()
            await self._spawner.close()
            if self._own_rundir:
                rundir.remove(self._own_rundir)
            self._pmi.close()

    # -- making -----------------------------------------------------------------------------------------------------

    def _attributes(self) -> AttributeTable:
        """The attributes by their defaults, then by -S."""
        table = AttributeTable(CHANGEABLE)
        for name, value in self._options.attributes.items():
            check(name, value, self._pmi.size)
            table.set(name, value)
        given = table.lookup("rundir", "")
        if given:
            rundir.check(given)
        else:
            self._own_rundir = rundir.make()
        table.fix("rundir", os.path.abspath(given) if given else self._own_rundir)
        table.fix("rundir-cleanup", table.lookup("rundir-cleanup", "0" if given else "1"))
        return table

    def _describe(self, table: AttributeTable, tree: Kary) -> None:
        """The attributes that say what and where this broker is."""
        rank, rundir = self._pmi.rank, table.get("rundir")
        parent_uri, path = os.environ.pop("FLUX_URI", ""), os.environ.pop("FLUX_JOB_ID_PATH", "")
        level = self._pmi.get("flux.instance-level") or "0"
        facts = {
            "rank": rank,
            "size": self._pmi.size,
            "version": INTERFACE,
            "hostname": system.hostname(),
            "broker.pid": os.getpid(),
            "security.owner": os.getuid(),
            "broker.uuid": self._uuid,
            "broker.starttime": f"{system.wall():.2f}",
            "broker.boot-method": "single" if self._pmi.size == 1 and not self._pmi.name else "simple",
            "local-uri": f"local://{rundir}/local-{rank}",
            "tbon.topo": str(tree),
            "tbon.level": tree.level(rank),
            "tbon.maxlevel": tree.maxlevel(),
            "tbon.descendants": tree.descendants(rank),
            "instance-level": level,
            "jobid-path": "/" if level == "0" else path or "/",
        }
        for name, value in facts.items():
            table.fix(name, str(value))
        if level != "0":  # a job of another instance, which names it by PMI; others have names of their own there
            table.fix("jobid", JobID(self._pmi.name).f58)
        if parent_uri:
            table.fix("parent-uri", parent_uri)

    def _wire(self, attributes: AttributeTable, tree: Kary) -> tuple[Wiring, Callable[[], None]]:
        """Makes the sockets and finds the others; returns what connects to the parent."""
        pmi = self._pmi
        where = boot.reach(pmi, attributes)
        self._node = Node(pmi.rank, self._uuid, pmi.size)
        self._broker = broker = Broker(self._node, self._loop, system.wall)
        ears = Ears(broker.receive, broker.lost, lambda text: broker.log(4, "overlay", text))
        wiring = broker.links = Wiring(self._loop, self._uuid, ears, where.keys)
        if pmi.size == 1:
            attributes.fix("hostlist", attributes.get("hostname"))
            return wiring, lambda: None
        end = boot.listen(wiring, where, pmi.rank, tree, attributes.get("rundir"))
        own = Card(attributes.get("hostname"), self._uuid, end.tree, end.event, end.pubkey)
        cards = boot.exchange(pmi, own, tree, attributes, where.local)
        if not where.local:
            for card in cards.values():
                wiring.admit(card.pubkey)
            pmi.barrier()  # nobody connects before all have been admitted
        attributes.fix("tbon.endpoint", end.tree)
        return wiring, lambda: self._connect(wiring, tree, cards, attributes)

    def _connect(self, wiring: Wiring, tree: Kary, cards: dict[int, Card], attributes: AttributeTable) -> None:
        parent = cards[tree.parent(self._pmi.rank) or 0]
        attributes.fix("tbon.parent-endpoint", parent.tree)
        wiring.connect(parent.uuid, Endpoint(parent.tree, parent.event, parent.pubkey))
        self._broker.act(self._node.attach(parent.uuid.encode()))

    def _assemble(self, attributes: AttributeTable, tree: Kary, wiring: Wiring, connect: Callable[[], None]) -> Session:
        """Joins broker, host, modules and life."""
        broker = self._broker
        host = BrokerHost(broker, attributes, self._spawner, Clock(system.wall, system.rusage))
        life = Life(self._loop.time)
        modules = ModuleTable(host, broker)
        life.watch(self._report_up)
        program = None
        if self._pmi.rank == 0:
            program = InitialProgram(self._options.command, attributes, self._spawner)
        ports: dict[str, Any] = {
            "life": life,
            "topology": tree,
            "modules": modules,
            "unload": modules.unload,
            "uuid": lambda: system.fresh_uuid().encode(),
            "listen": listen,
            "stderr": system.to_stderr,
            "logfile": system.LogFile,
        }
        for name, port in ports.items():
            host.offer(name, port)
        return Session(broker, host, life, modules, connect, program)

    def _report_up(self, state: State) -> None:
        """Who started us takes a process that finalized PMI for one that came up. `flux start` asks rank 0 alone."""
        if state == State.RUN and not (self._pmi.told and self._pmi.rank):
            self._pmi.finalize()

    # -- the outside ------------------------------------------------------------------------------------------------

    def _watch_signals(self, session: Session) -> None:
        for signum in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
            self._loop.add_signal_handler(signum, session.signal, signum)

    def _watch_lifeline(self, session: Session) -> None:
        """Who started us lives as long as we should: when it is gone, so are we."""
        if not self._pmi.lifeline:
            return
        fd = self._pmi.fileno()

        def gone() -> None:
            self._loop.remove_reader(fd)
            if self._pmi.rank == 0 and session.attribute("rundir-cleanup") == "1":
                self._own_rundir = session.attribute("rundir")
            session.abandon("flux start is gone")

        self._loop.add_reader(fd, gone)


def _settle_collector() -> None:
    """What is there now is there to stay: only what comes later is looked through for garbage."""
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's loops where there is uvloop."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


if __name__ == "__main__":
    sys.exit(main(BrokerOptions({})))
