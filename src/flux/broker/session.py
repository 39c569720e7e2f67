"""One broker's part in a session: what each state of its life needs done, in a process and in a simulation."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from errno import EHOSTUNREACH
from signal import SIGTERM
from typing import Any, NamedTuple, Protocol

from flux.base.idset import IDset
from flux.broker.broker import Broker
from flux.broker.circle import Circle
from flux.broker.host import BrokerHost
from flux.broker.life import Life
from flux.broker.runlevels import BUILTINS, rc1
from flux.broker.services import RESIDENT
from flux.broker.uplink import Uplink
from flux.overlay.lifecycle import State
from flux.overlay.node import FOR_GOOD, REPLACED, SENT_AWAY
from flux.overlay.notices import Dismissed, Gone, Moved, Notice, ParentLost, ParentReady
from flux.overlay.routes import Claim
from flux.service.kit import LOG_DEBUG, LOG_ERR, LOG_INFO, LOG_WARNING, Service

SESSION_ENDS, BROKER_LEAVES = "the session ends", "the broker leaves the session"
GOODBYE_TIMEOUT = 5.0
"""Seconds that the parent has to answer our goodbye."""


class Modules(Protocol):
    """The table of loaded modules."""

    async def load(self, name: str, args: Sequence[str] = (), *, alias: str = "") -> Any: ...
    async def adopt(self, service: type[Service]) -> Any: ...
    async def remove(self, name: str, why: str = "") -> None: ...
    async def wind_down(self) -> None: ...
    def names(self) -> list[str]: ...


class Program(Protocol):
    """The initial program of rank 0."""

    async def run(self) -> int: ...  # its exit code, 128 + the signal that ended it
    def stop(self) -> None: ...
    def signal(self, signum: int) -> bool: ...  # whether there is one to take it


class Ways(NamedTuple):
    """How others are reached: over ZeroMQ, or in a simulation's memory."""

    first: Callable[[], Claim]
    """The parent to begin with; not asked for on rank 0."""
    reach: Callable[[Claim, bool], None]
    """Connects to a parent; if not patient, `lost` is told when nobody is there."""
    reach_ring: Callable[[Claim], None]
    """Connects to the next broker on the ring."""


class Session:
    """Carries a broker through its life."""

    def __init__(
        self,
        broker: Broker,
        host: BrokerHost,
        life: Life,
        modules: Modules,
        ways: Ways,
        program: Program | None,
        wanted: tuple[str, ...] | None = None,
    ) -> None:
        self.exit_code = 0
        self.failure = ""
        """Why the session could not start, for the one line that the user gets."""
        self.ended = broker.loop.create_future()
        self._broker, self._host, self._life, self._modules = broker, host, life, modules
        self._ways, self._program = ways, program
        self._uplink = Uplink(broker, ways.reach, self._confirm)
        self._circle = Circle(broker, self._find, self._missed, ways.reach_ring)
        host.offer("uplink", self._uplink)
        host.offer("circle", self._circle)
        self._builtins = BUILTINS if wanted is None else tuple(name for name in BUILTINS if name != "connector-local")
        self._rc1 = [entry for entry in rc1(host.attributes.get) if wanted is None or entry.name in wanted]
        host.offer("rc1", self._rc1)
        self._tasks: set[asyncio.Task[None]] = set()
        self._following: asyncio.Task[None] | None = None
        self._resident: Service | None = None
        self._farewell = BROKER_LEAVES if host.rank else SESSION_ENDS
        """What those are told whom a module owes an answer."""
        self._left: asyncio.Event = asyncio.Event()
        self._program_ended = asyncio.Event()
        broker.hearers.append(self._notice)
        life.watch(self._enter)

    def begin(self) -> None:
        """Starts with the first state."""
        self._enter(self._life.state)

    def post(self, event: str) -> None:
        """Something happened: on to the next state, if it leads to one."""
        self._life.post(event)

    def fail(self, reason: str, code: int = 1) -> None:
        """Remembers the first failure; it is the exit code unless something failed before."""
        self.failure = self.failure or reason
        self.exit_code = self.exit_code or code

    def abandon(self, reason: str) -> None:
        """This broker cannot go on: it leaves in order, and says why."""
        self._host.log(LOG_ERR, "broker", reason)
        self.fail(reason)
        self.post("panic")

    def signal(self, signum: int) -> None:
        """A signal came: rank 0 passes it to the initial program; SIGTERM elsewhere makes this broker leave."""
        self._host.log(LOG_DEBUG, "broker", f"signal {signum}")
        if self._life.state == State.RUN and self._program is not None and self._program.signal(signum):
            return
        if State.QUORUM <= self._life.state <= State.RUN and self._host.rank:
            self._broker.act(self._broker.node.part())
        if signum == SIGTERM or self._life.state < State.RUN or self._program is not None:
            self.fail("", 128 + signum)
            self.post("shutdown")
            self.post("panic")

    def attribute(self, name: str) -> str:
        """The value of a broker attribute."""
        return self._host.attributes.get(name)

    # -- states -----------------------------------------------------------------------------------------------------

    def _enter(self, state: State) -> None:
        self._host.log(LOG_DEBUG, "broker", f"state {state}")
        action = self._run_state if state is State.RUN else getattr(self, f"_{state.name.lower()}")
        self._run(action())

    async def _load_builtins(self) -> None:
        try:
            for resident in RESIDENT:
                self._resident = await self._modules.adopt(resident)
            for name in self._builtins:
                await self._load(name)
        except OSError as error:
            self.fail(error.strerror or str(error))
            self.post("builtins-fail")
        else:
            self.post("builtins-success")

    async def _join(self) -> None:
        if self._host.rank == 0:
            self.post("parent-none")
        else:
            try:
                await self._uplink.join(self._ways.first())
            except OSError as error:
                self._parent_lost(error.strerror or str(error))

    async def _config_sync(self) -> None:
        """The service `config` sees to it, and posts what came of it."""

    async def _init(self) -> None:
        try:
            for entry in self._rc1:
                if entry.on(self._host.rank):
                    await self._modules.load(entry.path, entry.args, alias=entry.name if entry.module else "")
        except OSError as error:
            self.fail(error.strerror or str(error))
            self.post("rc1-fail")
        else:
            self.post("rc1-success")

    async def _quorum(self) -> None:
        self._broker.act(self._broker.node.admit(True))
        await self._asker.rpc("groups.join", {"name": "broker.online"})
        if self._host.rank:
            self._follow()
        else:
            await self._wait_for_quorum()

    async def _run_state(self) -> None:
        if self._program is None:
            return
        try:
            code = await self._program.run()
        finally:
            self._program_ended.set()
        self.exit_code = self.exit_code or code
        self.post("rc2-fail" if code else "rc2-success")

    async def _cleanup(self) -> None:
        if self._program is not None:
            self._program.stop()
            await self._program_ended.wait()  # the session's exit code is the program's
        await self._modules.wind_down()
        self.post("cleanup-none")

    async def _shutdown(self) -> None:
        self._uplink.stop()
        self._broker.act(self._broker.node.admit(False))
        self._children_left()

    async def _finalize(self) -> None:
        await self._unload_all(but=self._builtins)
        self.post("rc3-success")

    async def _goodbye(self) -> None:
        node = self._broker.node
        self._circle.stop()
        if node.joined:
            self._broker.act(node.leave())
            try:
                await asyncio.wait_for(self._left.wait(), GOODBYE_TIMEOUT)
            except TimeoutError:
                self._host.log(LOG_ERR, "broker", "the parent does not answer our goodbye")
        self.post("goodbye")

    async def _unload_builtins(self) -> None:
        await self._unload_all()
        for resident in reversed(RESIDENT):
            await self._unload(resident.name)
        self.post("builtins-done")

    async def _exit(self) -> None:
        if not self.ended.done():
            self.ended.set_result(self.exit_code)

    # -- parts ------------------------------------------------------------------------------------------------------

    @property
    def _asker(self) -> Service:
        """The service in whose name the broker itself asks others."""
        assert self._resident is not None
        return self._resident

    async def _wait_for_quorum(self) -> None:
        wanted = int(self._host.attributes.get("broker.quorum") or self._host.size)
        async for answer in self._asker.stream("groups.get", {"name": "broker.online"}):
            if len(IDset(answer["members"])) >= wanted:
                break
        self.post("quorum-full")

    def _follow(self) -> None:
        """Does as the parent does, from now on this parent."""
        self._unfollow()
        self._following = self._run(self._follow_parent())

    def _unfollow(self) -> None:
        if self._following is not None:
            self._following.cancel()

    async def _follow_parent(self) -> None:
        """Runs when the parent runs, shuts down when it does."""
        stream = self._asker.stream("state-machine.monitor", {"final": int(State.SHUTDOWN)}, upstream=True)
        try:
            async for answer in stream:
                if answer["state"] == State.RUN:
                    self.post("quorum-full")
                elif answer["state"] > State.RUN:
                    self._farewell = SESSION_ENDS
                    self.post("shutdown")
        except OSError as error:
            if error.errno != EHOSTUNREACH:  # the parent is lost: that is told otherwise
                raise

    async def _confirm(self) -> None:
        """Returns once rank 0 can reach us: a message to it overtakes no claim."""
        await self._asker.rpc("broker.ping", {}, nodeid=0)

    async def _find(self, rank: int) -> Claim:
        """Asks a rank where it listens. OSError says that it cannot be asked."""
        answer = await self._asker.rpc("overlay.open", {}, nodeid=rank)
        return Claim(rank, answer["uuid"], 0, answer["card"])

    async def _missed(self) -> set[int]:
        """The ranks that are not there, by rank 0's word."""
        return {rank for rank, *_ in (await self._asker.rpc("overlay.absent", {}, nodeid=0))["absent"]}

    async def _seek(self, reason: str) -> None:
        """The parent is lost: another one is found, or this broker's part in the session is over."""
        self._host.log(LOG_WARNING, "overlay", f"lost the parent: {reason}")
        if not await self._uplink.seek(parent_lives=reason == SENT_AWAY):
            self._parent_lost(reason)

    async def _move_away(self) -> None:
        """The parent leaves: the one above it becomes ours, or we leave with it."""
        line = self._broker.node.above.line
        try:
            if len(line) < 2:
                raise OSError(EHOSTUNREACH, "nobody is above the parent")
            await self._uplink.move(line[1])
        except OSError as error:
            self._host.log(LOG_WARNING, "overlay", f"the parent leaves, and so do we: {error.strerror}")
            self.post("shutdown")

    async def _load(self, name: str) -> None:
        await self._modules.load(name)
        if name == "log":
            self._broker.log.open()

    async def _unload_all(self, but: Sequence[str] = ()) -> None:
        """The last one first, also those that somebody has loaded by request."""
        for name in reversed(self._modules.names()):
            if name not in but:
                await self._unload(name)

    async def _unload(self, name: str) -> None:
        try:
            await self._modules.remove(name, self._farewell)
        except OSError as error:
            self._host.log(LOG_INFO, "broker", f"{name}: {error.strerror}")

    def _notice(self, notice: Notice) -> None:
        self._uplink.heard(notice)
        self._circle.heard(notice)
        match notice:
            case ParentReady():
                for service in list(self._broker.services.values()):
                    service.parent_changed()
                self.post("parent-ready")
                if self._following is not None:
                    self._follow()
            case ParentLost("left"):
                self._left.set()
            case ParentLost(why) if why not in (FOR_GOOD, REPLACED) and State.JOIN < self._life.state <= State.RUN:
                self._run(self._seek(why))
            case ParentLost(reason):
                self._parent_lost(reason)
            case Dismissed():
                self._unfollow()
                self._run(self._move_away())
            case Gone() | Moved():
                self._children_left()

    def _parent_lost(self, reason: str) -> None:
        self._left.set()
        if self._life.state <= State.RUN:
            self._host.log(LOG_ERR, "broker", f"lost the parent: {reason}")
            self.fail(f"lost the parent: {reason}")
        self.post("parent-fail")

    def _children_left(self) -> None:
        if self._life.state == State.SHUTDOWN and not len(self._broker.node.children):
            self.post("children-complete")

    def _run(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._broker.loop.create_task(self._guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _guarded(self, work: Awaitable[None]) -> None:
        try:
            await work
        except OSError as error:
            if self._life.state < State.SHUTDOWN:
                self._host.log(LOG_ERR, "broker", f"{error.strerror or error}")
                self.fail(error.strerror or str(error))
                self.post("panic")
        except Exception as error:
            self._host.log(LOG_ERR, "broker", f"{type(error).__name__}: {error}")
            self.fail(f"{type(error).__name__}: {error}")
            self.post("panic")
