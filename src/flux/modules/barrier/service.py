"""`barrier`: holds its callers until as many have come as they said, then lets all go at once (2016's barrier)."""

from collections.abc import Iterable
from errno import ECONNABORTED
from typing import Any, ClassVar

from flux.modules.barrier.gate import WHY, Gate, merged
from flux.service import LATER, Call, Later, Service, event, request
from flux.service.company import Company
from flux.wire.message import OWNER, USER, Event


class Barrier(Service):
    """Waiters are counted up the tree; rank 0 opens by event. A waiter that leaves breaks the barrier for all."""

    name: ClassVar[str] = "barrier"

    async def start(self) -> None:
        """Begins with no barrier."""
        self._gates: dict[str, Gate] = {}
        self._waiting: dict[str, list[Call]] = {}
        self._decided: set[str] = set()
        self._company = Company()

    async def stop(self) -> None:
        """Who waits here will not be there to leave."""
        for key in self._waiting:
            self.notify("barrier.abandon", {"key": key}, nodeid=0)

    @request()
    def abandon(self, call: Call, *, key: str) -> None:
        """Rank 0: somewhere the service is unloaded, and callers are sent away."""
        self._decide(key, ECONNABORTED)

    @request(allow=USER)
    def enter(self, call: Call, *, name: str, nprocs: int) -> Later:
        """Waits until `nprocs` callers have entered `name`.

        Errors: EEXIST (twice by one client), EINVAL (callers that disagree on nprocs), ECONNABORTED (a waiter left).
        """
        key = _key(call, name)
        try:
            self._gate(key).enter(call.sender, nprocs)
        except OSError as error:
            raise OSError(error.errno, f"barrier {name}: {error.strerror}") from None
        finally:
            self._report(key)
        self._waiting.setdefault(key, []).append(call)
        call.on_close = lambda: self._break(key)
        return LATER

    @event("barrier.exit")
    def leave(self, event: Event) -> None:
        """Rank 0 has decided: everybody goes, and the name is free again."""
        if not event.rolemask & OWNER:
            return
        body = event.body()
        key, errnum = str(body["name"]), int(body["errnum"])
        self._gates.pop(key, None)
        self._decided.discard(key)
        self._company.over(key)
        self.close(key, event)
        for call in self._waiting.pop(key, []):
            if errnum:
                call.refuse(errnum, f"barrier {call.request.body()['name']}: {WHY.get(errnum, 'broken')}")
            else:
                call.respond()

    def events_lost(self) -> None:
        """Whether our barriers are over cannot be known any more: nobody shall wait forever."""
        for key in list(self._gates):
            self._break(key)

    def merge(self, key: str, values: Iterable[Any]) -> dict[str, Any]:
        """What each rank reports: of a broker that moves, and is reported twice for a moment, once."""
        return {rank: count for value in values for rank, count in value.items()}

    def reduced(self, key: str, value: Any) -> None:
        """Rank 0: opens or breaks the barrier once that is decided."""
        self._company.come(key, value)
        count = merged(value.values())
        if count.decided:
            self._decide(key, count.errnum)

    @event("live.cstate")
    def somebody_changed(self, event: Event) -> None:
        """Rank 0: a broker that is gone will not open what its callers wait for."""
        for key in self._company.bereaved(event):
            self._decide(key, ECONNABORTED)

    def _decide(self, key: str, errnum: int) -> None:
        if key not in self._decided:
            self._decided.add(key)
            self.publish("barrier.exit", {"name": key, "errnum": errnum})

    def _gate(self, key: str) -> Gate:
        return self._gates.setdefault(key, Gate())

    def _break(self, key: str) -> None:
        self._gate(key).break_up(ECONNABORTED)
        self._report(key)

    def _report(self, key: str) -> None:
        """Tells the tree how things stand, unless nobody has ever been let in."""
        count = self._gate(key).count()
        if count == (0, 0, 0):
            del self._gates[key]
        else:
            self.contribute(key, {str(self.host.rank): count})


def _key(call: Call, name: str) -> str:
    """Guests have names of their own, so that they cannot break the owner's barriers."""
    asked = call.request
    return name if asked.rolemask & OWNER else f"{asked.userid}:{name}"
