"""How a broker finds the next one on the ring, and another when that one is gone."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator

from flux.broker.broker import Broker
from flux.overlay.notices import Notice, RingLost, RingReady, RingWanted
from flux.overlay.router import RINGWARD
from flux.overlay.routes import Claim
from flux.service.kit import LOG_DEBUG

PATIENCE, HOP = 1.0, 0.02
"""Seconds that a broker has to tell where it listens, and then to answer; and more for each broker above us."""

MOST_SILENT = 3
"""So many that do not answer in a row: it is rather the way to them that is broken."""

Find = Callable[[int], Awaitable[Claim]]
"""Asks a rank, through the tree, to listen and to say where."""
Missed = Callable[[], Awaitable[set[int]]]
"""Asks rank 0 who is not there."""


class Circle:
    """The ring from one broker's side: it is closed when something is to go round, or when `close` is called."""

    def __init__(self, broker: Broker, find: Find, missed: Missed, reach: Callable[[Claim], None]) -> None:
        self._broker, self._node, self._reach = broker, broker.node, reach
        self._find, self._missed = find, missed
        self._closing: asyncio.Task[None] | None = None
        self._answer: asyncio.Future[bool] | None = None
        self._passed: list[int] = []
        """The ranks between us and the next one: who was passed over only because it had no parent comes back."""
        self._said: dict[int, str] = {}
        """Why each of them was passed over last, which is said once."""
        self.next: int | None = None
        """The rank of the next broker on the ring, None while it is open."""

    def heard(self, notice: Notice) -> None:
        """Takes what the node says; to be told of every notice."""
        match notice:
            case RingWanted():
                self.close()
            case RingReady():
                self._settle(True)
            case RingLost():
                self.next = None
                self._settle(False)

    def close(self) -> None:
        """Connects to the next broker, unless that is done or under way."""
        if self._closing is None and self._node.router.ring == RINGWARD:
            self._closing = self._broker.loop.create_task(self._close())

    def beat(self, patience: float) -> None:
        """Once in a heartbeat: closes it, or asks the next broker whether it is there; not for longer than that."""
        ring = self._node.router.ring
        if ring is None:
            return
        if ring != RINGWARD and self._broker.loop.time() - self._broker.heard.get(ring, 0.0) > patience:
            self.open()
        if self._node.router.ring == RINGWARD:
            self.close()
        else:
            self._broker.act(self._node.ring_ask(ring))
            self._look_again()

    def open(self) -> None:
        """Leaves the next broker, because one before it may be there now, or because it does not answer."""
        ring = self._node.router.ring
        if ring is not None and ring != RINGWARD:
            self.next = None
            self._broker.act(self._node.ring_open())
            self._broker.drop(ring)

    def affected(self, rank: int, *, alive: bool) -> bool:
        """Whether the ring should be closed anew now that `rank` is alive (it comes before our next one) or is not."""
        if self.next is None:
            return False
        if not alive:
            return rank == self.next
        own, size = self._node.rank, self._node.size
        return (rank - own) % size < (self.next - own) % size

    def stop(self) -> None:
        """Closes it no more."""
        if self._closing is not None:
            self._closing.cancel()

    # -- inside -----------------------------------------------------------------------------------------------------

    def _look_again(self) -> None:
        """Asks one that was passed over, another one in each heartbeat, whether it is there now."""
        if self._closing is None and self._passed:
            self._passed.append(self._passed.pop(0))
            self._closing = self._broker.loop.create_task(self._close_if_there(self._passed[-1]))

    async def _close_if_there(self, rank: int) -> None:
        there = False
        try:
            async with asyncio.timeout(self._patience):
                await self._find(rank)
            there = True
        except (TimeoutError, OSError):
            pass  # it is still gone
        finally:
            self._closing = None
        if there:
            self.open()
            self.close()

    async def _close(self) -> None:
        self._passed.clear()
        try:
            silent, missed = 0, set[int]()
            for rank in self._ranks():
                if rank in missed:
                    self._pass_over(rank, b"", "rank 0 misses it")
                    self._passed.append(rank)
                    continue
                if not (self._node.joined or self._node.rank == 0):
                    return  # it is we whom nobody hears: that is for later
                if silent == MOST_SILENT:
                    break
                try:
                    if await self._try(rank):
                        self.next = rank
                        self._said.pop(rank, None)
                        return
                    silent = 0
                except TimeoutError:
                    silent += 1
                missed = missed or await self._who_is_missed()
                self._passed.append(rank)
            self._broker.act(self._node.ring_closed(None))
        finally:
            self._closing = None

    async def _who_is_missed(self) -> set[int]:
        """By rank 0's word, so that not each of many that are gone has to be tried."""
        try:
            async with asyncio.timeout(self._patience):
                return await self._missed()
        except OSError:
            return set()

    @property
    def _patience(self) -> float:
        return PATIENCE + HOP * len(self._node.above.line)

    def _ranks(self) -> Iterator[int]:
        """All other ranks, those that follow ours first."""
        node = self._node
        return ((node.rank + n) % node.size for n in range(1, node.size))

    async def _try(self, rank: int) -> bool:
        link = b""
        try:
            async with asyncio.timeout(self._patience):
                claim = await self._find(rank)
                link = RINGWARD + claim.uuid.encode()
                self._answer = self._broker.loop.create_future()
                self._reach(claim)
                self._broker.act(self._node.ring_ask(link))
                if await self._answer:
                    return True
        except TimeoutError:
            self._pass_over(rank, link, "no answer")
            raise
        except OSError as error:
            self._pass_over(rank, link, error.strerror or str(error))
        else:
            self._pass_over(rank, link, "it is gone")
        finally:
            self._answer = None
        return False

    def _pass_over(self, rank: int, link: bytes, reason: str) -> None:
        if self._said.get(rank) != reason:
            self._broker.log(LOG_DEBUG, "overlay", f"ring: rank {rank} is passed over: {reason}")
            self._said[rank] = reason
        if link:
            self._broker.drop(link)

    def _settle(self, answered: bool) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(answered)
