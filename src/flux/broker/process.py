"""One broker as a process, from its first line to its exit code: all that a broker needs is made and joined here."""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from flux.base.config import Config
from flux.base.jobid import JobID
from flux.base.version import INTERFACE
from flux.broker import boot, tuning
from flux.broker.attributes import AttributeTable
from flux.broker.broker import Broker
from flux.broker.defaults import CHANGEABLE, check
from flux.broker.host import BrokerHost, Clock
from flux.broker.life import Life
from flux.broker.modules import ModuleTable
from flux.broker.options import BrokerOptions
from flux.broker.program import LEVEL, InitialProgram
from flux.broker.session import Session, Ways
from flux.overlay.card import Card, read_card
from flux.overlay.lifecycle import State
from flux.overlay.node import Node
from flux.overlay.routes import Claim
from flux.overlay.topology import Topology
from flux.runtime import filemap, rundir, statedir, system
from flux.runtime.database import open_database
from flux.runtime.fileshelf import open_files
from flux.runtime.keeper import Keeper, fork_keeper
from flux.runtime.linux import set_process_name
from flux.runtime.listener import listen
from flux.runtime.machine import cores, machine
from flux.runtime.outfile import OutFiles
from flux.runtime.pmi import Bootstrap
from flux.runtime.s3shelf import open_bucket
from flux.runtime.spawn import Spawner
from flux.runtime.tuning import Tuning
from flux.runtime.wiring import Ears, Endpoint, Wiring
from flux.service.configuration import Configuration

THRESHOLDS = (700, 10, 10)
"""Python's own: while it starts, the `flux` command collects no garbage."""


def main(options: BrokerOptions, pmi: Bootstrap | None = None, keeper: Keeper | None = None) -> int:
    """Runs one broker to its end; returns the exit code. What goes wrong is one line on stderr and exit code 1.

    A broker that nobody gives these finds PMI by its environment, and forks a keeper of its own.
    """
    options = options.located()
    try:
        config = options.config or options.read()
        pmi = boot.method(pmi or Bootstrap(), config, options.attributes)
    except OSError as error:
        system.to_stderr(f"flux-broker: {error.strerror}")
        return 1
    set_process_name(f"flux-broker-{pmi.rank}")
    keeper = keeper or fork_keeper()
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(Process(options, config, pmi, keeper).run())
    except OSError as error:
        system.to_stderr(f"flux-broker: rank {pmi.rank}: {error.strerror or error}")
        pmi.abort(1, "broker could not start")
        return 1


class Process:
    """The making of one broker, and its unmaking."""

    def __init__(self, options: BrokerOptions, config: Config, pmi: Bootstrap, keeper: Keeper) -> None:
        self._options, self._config, self._pmi, self._keeper = options, config, pmi, keeper
        self._uuid = boot.identity(pmi)
        self._own_rundir = self._own_statedir = ""
        self._release: Callable[[], None] = lambda: None
        self._lock = -1

    async def run(self) -> int:
        """Starts, runs, ends. The run directory goes with us if we made it, or if who made it is gone."""
        self._loop = asyncio.get_running_loop()
        self._spawner = Spawner(self._keeper, self._loop)
        wiring: Wiring | None = None
        try:
            attributes = self._attributes()
            tree = boot.tree_of(self._pmi, self._config, attributes.get("tbon.topo"))
            boot.check_descriptors(self._pmi.rank, tree)
            self._describe(attributes, tree)
            wiring, ways = self._wire(attributes, tree)
            session = self._assemble(attributes, tree, ways)
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
            self._release()
            for own in filter(None, (self._own_statedir, self._own_rundir)):
                rundir.remove(own)
            if self._lock >= 0:
                os.close(self._lock)
            self._pmi.close()

    # -- making -----------------------------------------------------------------------------------------------------

    def _attributes(self) -> AttributeTable:
        """The attributes by their defaults, then by -S; those of the tree also by the configuration."""
        table = AttributeTable(CHANGEABLE)
        settings = self._options.attributes
        for name, value in settings.items():
            check(name, value, self._pmi.size)
            table.set(name, value)
        table.set("broker.quorum", table.get("broker.quorum") or str(self._pmi.size))
        table.set("broker.critical-ranks", table.lookup("broker.critical-ranks", "0"))
        self._tree_settings = tuning.settled(self._config, settings)
        tuning.describe(self._tree_settings, table, self._pmi.rank)
        by_config = boot.method_name(self._pmi) == "config"
        table.set("tbon.topo", tuning.shape(self._config, settings, by_config=by_config))
        if self._options.config_path:
            table.fix("config.path", self._options.config_path)
        given = table.lookup("rundir", "")
        if given:
            rundir.check(given)
        else:
            self._own_rundir = rundir.make()
        where = os.path.abspath(given) if given else self._own_rundir
        self._release = partial(rundir.release, where, self._pmi.rank, rundir.hold(where, self._pmi.rank))
        table.fix("rundir", where)
        table.fix("rundir-cleanup", table.lookup("rundir-cleanup", "0" if given else "1"))
        self._claim_statedir(table)
        return table

    def _claim_statedir(self, table: AttributeTable) -> None:
        """On rank 0, the directory of what outlives the session, or one of its own that does not."""
        given, cleanup = table.lookup("statedir", ""), table.lookup("statedir-cleanup", "0")
        for name in ("statedir", "statedir-cleanup"):
            with suppress(OSError):
                table.remove(name)
        if self._pmi.rank:
            return
        if given:
            where = os.path.abspath(given)
            self._lock = statedir.claim(where)
        else:
            where, cleanup = os.path.join(table.get("rundir"), f"state-{self._uuid[:8]}"), "1"
            rundir.make_private(where)
        self._own_statedir = where if cleanup == "1" else ""
        table.fix("statedir", where)
        table.fix("statedir-cleanup", cleanup)

    def _describe(self, table: AttributeTable, tree: Topology) -> None:
        """The attributes that say what and where this broker is."""
        rank, rundir = self._pmi.rank, table.get("rundir")
        parent_uri, path = os.environ.pop("FLUX_URI", ""), os.environ.pop("FLUX_JOB_ID_PATH", "")
        above = os.environ.pop(LEVEL, "0")
        of_job = self._pmi.get("flux.instance-level") or "0"
        level = of_job if of_job != "0" or not parent_uri else str(int(above) + 1 if above.isdecimal() else 1)
        facts = {
            "rank": rank,
            "size": self._pmi.size,
            "version": INTERFACE,
            "hostname": table.lookup("hostname", system.hostname()),
            "broker.pid": os.getpid(),
            "security.owner": os.getuid(),
            "broker.uuid": self._uuid,
            "broker.starttime": f"{system.wall():.2f}",
            "broker.boot-method": boot.method_name(self._pmi),
            "local-uri": f"local://{rundir}/local-{rank}",
            "tbon.topo": str(tree),
            "tbon.level": tree.level(rank),
            "tbon.maxlevel": tree.maxlevel(),
            "tbon.descendants": tree.descendants(rank),
            "instance-level": level,
            "jobid-path": "/" if of_job == "0" else path or "/",
        }
        for name, value in facts.items():
            table.fix(name, str(value))
        if of_job != "0":  # a job of another instance, which names it by PMI; others have names of their own there
            table.fix("jobid", JobID(self._pmi.name).f58)
        if parent_uri:
            table.fix("parent-uri", parent_uri)

    def _wire(self, attributes: AttributeTable, tree: Topology) -> tuple[Wiring, Ways]:
        """Makes the sockets and finds the others; returns what connects to them."""
        pmi = self._pmi
        where = self._where = boot.reach(pmi, attributes)
        self._node = Node(pmi.rank, self._uuid, pmi.size, int(system.wall() * 1000))
        self._broker = broker = Broker(self._node, self._loop, system.wall)
        ears = Ears(broker.receive, broker.lost, lambda text: broker.log(4, "overlay", text))
        wiring = broker.links = Wiring(self._loop, self._uuid, ears, where.keys, self._tuning())
        ways = Ways(lambda: self._first, self._reach, self._reach_ring)
        self._wiring, self._settings = wiring, attributes
        if pmi.size == 1:
            attributes.fix("hostlist", attributes.get("hostname"))
            return wiring, ways
        end = boot.listen(wiring, where, pmi.rank, tree, attributes.get("rundir"))
        self._card = Card(attributes.get("hostname"), self._uuid, end.tree, end.event, end.pubkey)
        cards = boot.exchange(pmi, self._card, tree, attributes, where.local)
        if not where.local:
            for card in cards.values():
                wiring.admit(card.pubkey)
            pmi.barrier()  # nobody connects before all have been admitted
        self._node.above.card = self._card.text()
        attributes.fix("tbon.endpoint", end.tree)
        parent = tree.parent(pmi.rank)
        if parent is not None:
            attributes.fix("tbon.parent-endpoint", cards[parent].tree)
            self._first = Claim(parent, cards[parent].uuid, 0, cards[parent].text())
        return wiring, ways

    def _tuning(self) -> Tuning:
        ipv6 = boot.method_name(self._pmi) == "config" and self._config.bootstrap.enable_ipv6
        return tuning.sockets(self._tree_settings, self._pmi.rank, ipv6)

    def _reach(self, claim: Claim, patient: bool) -> None:
        self._wiring.connect(claim.uuid, _endpoint(claim), patient=patient)

    def _reach_ring(self, claim: Claim) -> None:
        self._wiring.connect_ring(claim.uuid, _endpoint(claim))

    def _open(self) -> str:
        """Listens, if this broker does not yet; returns its business card."""
        if not self._card.tree:
            end = boot.open_up(self._wiring, self._where, self._pmi.rank, self._settings.get("rundir"))
            self._card = self._card._replace(tree=end.tree, event=end.event)
            self._node.above.card = self._card.text()
        return self._card.text()

    def _assemble(self, attributes: AttributeTable, tree: Topology, ways: Ways) -> Session:
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
            "open": self._open,
            "panic": self._panic,
            "uuid": lambda: system.fresh_uuid().encode(),
            "listen": listen,
            "stderr": system.to_stderr,
            "syslog": system.to_syslog,
            "logfile": system.LogFile,
            "database": open_database,
            "files": open_files,
            "s3": open_bucket,
            "filemap": filemap,
            "machine": machine,
            "cores": cores,
            "outfiles": OutFiles(asyncio.get_running_loop()),
            "config": Configuration(self._config, self._options.read if self._options.config_path else None),
            "given": self._options.attributes,
            "belongs": system.belongs,
        }
        for name, port in ports.items():
            host.offer(name, port)
        return Session(broker, host, life, modules, ways, program)

    def _report_up(self, state: State) -> None:
        """Who started us takes a process that finalized PMI for one that came up. `flux start` asks rank 0 alone."""
        if state == State.RUN and not (self._pmi.told and self._pmi.rank):
            self._pmi.finalize()

    def _panic(self, reason: str) -> None:
        system.to_stderr(f"flux-broker: rank {self._pmi.rank}: PANIC: {reason}")
        system.end_now(1)

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


def _endpoint(claim: Claim) -> Endpoint:
    card = read_card(claim.rank, claim.card)
    return Endpoint(card.tree, card.event, card.pubkey)


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
