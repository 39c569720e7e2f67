"""How a broker gets a parent, keeps one, and gets another: when it is told to, or when it has lost the one it had."""

import asyncio
from collections.abc import Awaitable, Callable
from errno import EAGAIN, EBUSY, EHOSTUNREACH, EINVAL, ETIMEDOUT

from flux.broker.broker import Broker
from flux.overlay.notices import Notice, ParentReady, Refused
from flux.overlay.refuge import Search, refuges
from flux.overlay.router import UPWARD
from flux.overlay.routes import Claim
from flux.service.kit import LOG_INFO, LOG_WARNING

PATIENCE = 1.0
"""Seconds that somebody has to answer our hello; the first parent of all has for ever, as it may still be starting."""
HOP = 0.02
"""More seconds for each broker above us: whom we want as our parent asks rank 0, by all of them, whether it may be."""
BREATH = 0.05
"""Seconds before those are asked again who could not say yes just now."""
GIVE_UP = 10.0
"""Seconds after which a broker that finds no parent gives up."""

Reach = Callable[[Claim, bool], None]
"""Connects to a broker by its claim; if not patient, `lost` is told when nobody is there."""


class Uplink:
    """The way up of one broker. `confirm` returns once rank 0 can reach this broker by its new parent."""

    def __init__(self, broker: Broker, reach: Reach, confirm: Callable[[], Awaitable[None]]) -> None:
        self._broker, self._node, self._reach, self._confirm = broker, broker.node, reach, confirm
        self._answer: asyncio.Future[Refused | None] | None = None
        self._one_at_a_time = asyncio.Lock()
        self._line: list[Claim] = []
        """Who was above us when we last had a parent."""
        self._seeking = self._moving = self._over = False

    @property
    def busy(self) -> bool:
        """Whether a parent is looked for just now."""
        return self._answer is not None or self._seeking or self._moving

    def heard(self, notice: Notice) -> None:
        """Takes what the node says; to be told of every notice."""
        match notice:
            case ParentReady():
                self._settle(None)
            case Refused():
                self._settle(notice)
        self._line = self._node.above.line or self._line

    async def join(self, parent: Claim) -> None:
        """Attaches to the first parent, who may be looking for one itself. OSError says why it does not take us in."""
        end: float | None = None
        while (refused := await self._ask(parent, None)) is not None:
            end = end or self._broker.loop.time() + GIVE_UP
            if refused.errnum != EAGAIN or self._broker.loop.time() > end or self._over:
                raise OSError(refused.errnum, refused.reason)
            await asyncio.sleep(BREATH)

    async def move(self, parent: Claim) -> None:
        """Attaches to another parent; what is open with the old one is still answered. OSError says why not."""
        self.check(parent.rank)
        if any(claim.rank == parent.rank for claim in self._node.above.line[:1]):
            return  # it is that already
        self._moving = True
        try:
            await self._move(parent)
        finally:
            self._moving = False

    async def _move(self, parent: Claim) -> None:
        end = self._broker.loop.time() + self._patience
        while (refused := await self._ask(parent, self._patience)) is not None:
            if refused.errnum != EAGAIN or self._broker.loop.time() > end:
                raise OSError(refused.errnum, f"rank {parent.rank}: {refused.reason}")
            await asyncio.sleep(BREATH)
            self._node.above.check(parent.rank)
        try:
            await self._confirm()
        finally:
            for former in list(self._node.above.former):
                self._broker.act(self._node.depart(former))

    async def seek(self, *, parent_lives: bool) -> bool:
        """Looks for another parent; says whether there is one now."""
        loop = self._broker.loop
        self._seeking = True
        try:
            if self._answer is not None:  # we were about to move: who takes us in must not be left standing there
                await asyncio.wait([self._answer])
            end = loop.time() + GIVE_UP
            while not (self._node.joined or self._over) and loop.time() < end and self._line:
                if not await self._round(refuges(self._line, parent_lives=parent_lives)):
                    break
                if not self._node.joined:
                    await asyncio.sleep(BREATH)
        finally:
            self._seeking = False
        if not self._node.joined:
            self._broker.act(self._node.give_up())
        return self._node.joined

    def stop(self) -> None:
        """Asks nobody any more: this broker's part in the session is over."""
        self._over = True

    # -- inside -----------------------------------------------------------------------------------------------------

    @property
    def _patience(self) -> float:
        return PATIENCE + HOP * len(self._line)

    async def _round(self, candidates: list[Claim]) -> bool:
        """Asks one after the other; says whether it is worth while to ask again. Without rank 0 it is not."""
        worth, search = False, Search(candidates)
        while (candidate := search.candidate) is not None:
            if self._over:
                return False
            if self._node.router.routes.link(candidate.rank) is not None:
                search.next()
                continue
            refused = await self._ask(candidate, self._patience)
            if refused is None:
                self._broker.log(LOG_INFO, "overlay", f"rank {candidate.rank} is the parent now")
                return True
            self._broker.log(LOG_WARNING, "overlay", f"rank {candidate.rank} is no parent for us: {refused.reason}")
            worth = worth or refused.errnum in (EAGAIN, ETIMEDOUT)
            if candidate.rank == 0 and refused.errnum not in (EAGAIN, ETIMEDOUT):
                return False
            search.next(refused.reason if refused.errnum == EAGAIN else "")
        return worth

    async def _ask(self, parent: Claim, patience: float | None) -> Refused | None:
        """Says hello to somebody; returns None when we are its child now, else why not."""
        async with self._one_at_a_time:
            return await self._say_hello(parent, patience)

    async def _say_hello(self, parent: Claim, patience: float | None) -> Refused | None:
        link = UPWARD + parent.uuid.encode()
        self._answer = self._broker.loop.create_future()
        try:
            self._reach(parent, patience is None)
            self._broker.act(self._node.attach(link))
            async with asyncio.timeout(patience):
                refused = await self._answer
        except TimeoutError:
            self._broker.act(self._node.forsake(link))
            return Refused(link, ETIMEDOUT, "no answer")
        finally:
            self._answer = None
        if refused is not None and not self._node.above.knows(link):
            self._broker.drop(link)
        return refused

    def _settle(self, outcome: Refused | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(outcome)

    def check(self, rank: int) -> None:
        """OSError says why a rank cannot become our parent now."""
        if self._node.rank == 0:
            raise OSError(EINVAL, "rank 0 has no parent")
        self._node.above.check(rank)
        if self.busy:
            raise OSError(EBUSY, f"rank {self._node.rank} is looking for a parent already")
        if not self._node.joined:
            raise OSError(EHOSTUNREACH, f"rank {self._node.rank} has no parent")
