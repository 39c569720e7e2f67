"""Fences on one broker: who waits at each, and what they bring to it together."""

from collections.abc import Iterable
from errno import ECONNABORTED, EINVAL, EIO
from typing import Any

from flux.modules.kvs.fence import WHY, Share, gathered, merged, share
from flux.modules.kvs.lookups import Lookups
from flux.modules.kvs.queue import Commit
from flux.modules.kvs.roots import PRIMARY
from flux.modules.kvs.transaction import Transaction
from flux.service import Call, Later, event, request
from flux.service.company import Company
from flux.wire.message import OWNER, USER, Event, Request


class Fences(Lookups):
    """Callers all over the session are counted up the tree, with what they want; rank 0 commits it for all."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._fences: dict[str, dict[Call, Transaction]] = {}
        """Who waits at each fence on this broker."""
        self._broken: dict[str, int] = {}
        """Fences that cannot be passed any more, and why, until everybody has heard of it."""
        self._decided: set[str] = set()
        self._company = Company()

    def read(self, asked: Request) -> Transaction:
        """The transaction of a request, as far as it may be."""
        raise NotImplementedError

    def put(self, commit: Commit) -> None:
        """Commits, on rank 0."""
        raise NotImplementedError

    def failed(self, namespace: str, names: list[str], errnum: int) -> None:
        """Tells all who wait for these commits, wherever they are, that they came to nothing."""
        raise NotImplementedError

    @request(allow=USER)
    def fence(self, call: Call, *, name: str, nprocs: int) -> Later:
        """Commits together with others: as many callers as `nprocs` says, anywhere in the session (2016's kvs.fence).

        Errors: EINVAL (callers disagree on nprocs, flags or namespace), ECONNABORTED (a caller left).
        """
        if nprocs < 1:
            raise OSError(EINVAL, f"nprocs must be at least 1, not {nprocs}")
        transaction, asked = self.read(call.request), call.request
        who = "" if asked.rolemask & OWNER else f"{asked.userid}:"
        return self.with_root(
            call, transaction.namespace, lambda root: self._enter(call, transaction, f"fence.{who}{name}")
        )

    def _enter(self, call: Call, transaction: Transaction, key: str) -> None:
        if call.closed:
            return
        self.keep(call)
        self._fences.setdefault(key, {})[call] = transaction
        call.on_close = lambda: self._break(key)
        self._report(key)

    def _break(self, key: str) -> None:
        """Nobody will pass any more."""
        self._broken[key] = ECONNABORTED
        self._report(key)

    def _report(self, key: str) -> None:
        rank, here = self.host.rank, self._fences.get(key, {})
        brought = gathered(rank, (share(rank, call.request.body()["nprocs"], asked) for call, asked in here.items()))
        brought.errnum = brought.errnum or self._broken.get(key, 0)
        self.contribute(key, brought)

    def merge(self, key: str, values: Iterable[Any]) -> Share:
        """Shares of a fence add up."""
        return merged(values)

    def reduced(self, key: str, value: Any) -> None:
        """Rank 0: commits the fence, or gives it up, once that is decided."""
        brought: Share = value
        self._company.come(key, brought.callers)
        if not brought.decided or key in self._decided:
            return
        self._decided.add(key)
        if brought.errnum:
            self.failed(brought.namespace or PRIMARY, [key], brought.errnum)
        else:
            self.put(Commit(None, brought.transaction(), key))

    @event("live.cstate")
    def somebody_changed(self, event: Event) -> None:
        """Rank 0: fences that callers of a broker had come to that is gone will not be passed any more."""
        for key in self._company.bereaved(event):
            self._give_up(key)

    async def stop(self) -> None:
        """Who waits here will not be there to pass."""
        for key in self._fences:
            self.notify("kvs.fence-abandon", {"key": key}, nodeid=0)

    @request()
    def fence_abandon(self, call: Call, *, key: str) -> None:
        """Rank 0: somewhere the service is unloaded, and callers are sent away."""
        self._give_up(key)

    def _give_up(self, key: str) -> None:
        if key not in self._decided:
            self._decided.add(key)
            self.failed(PRIMARY, [key], ECONNABORTED)

    def events_lost(self) -> None:
        """Whether our fences are passed cannot be known any more: nobody shall wait forever."""
        super().events_lost()
        for key in list(self._fences):
            self._break(key)

    def passed(self, names: Iterable[str], errnum: int, event: Event) -> None:
        """Some transactions are done, or refused: those who wait for them go on."""
        for key in names:
            if not key.startswith("fence."):
                continue
            self.close(key, event)
            self._decided.discard(key)
            self._company.over(key)
            self._broken.pop(key, None)
            for call, transaction in self._fences.pop(key, {}).items():
                root = self.roots.find(transaction.namespace)
                if errnum or root is None:
                    call.refuse(errnum or EIO, WHY.get(errnum, ""))
                else:
                    call.respond(root.version())
