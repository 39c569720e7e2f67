"""`barrier`: holds its callers until as many have come as they said, then lets all go at once (2016's barrier)."""

from collections.abc import Iterable
from errno import ECONNABORTED
from typing import Any, ClassVar

from flux.modules.barrier.gate import WHY, Count, Gate, merged
from flux.service import LATER, Call, Later, Service, event, request
from flux.wire.message import OWNER, USER, Event


class Barrier(Service):
    """Waiters are counted up the tree; rank 0 opens by event. A waiter that leaves breaks the barrier for all."""

    name: ClassVar[str] = "barrier"

    async def start(self) -> None:
        """Begins with no barrier."""
        self._gates: dict[str, Gate] = {}
        self._waiting: dict[str, list[Call]] = {}
        self._decided: set[str] = set()

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

    def merge(self, key: str, values: Iterable[Any]) -> Count:
        """Waiters add up."""
        return merged(values)

    def reduced(self, key: str, value: Any) -> None:
        """Rank 0: opens or breaks the barrier once that is decided."""
        count = Count(*value)
        if count.decided and key not in self._decided:
            self._decided.add(key)
            self.publish("barrier.exit", {"name": key, "errnum": count.errnum})

    def contributor_lost(self, key: str) -> None:
        """A broker below is gone, and waiters with it."""
        self._break(key)

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
            self.contribute(key, count)


def _key(call: Call, name: str) -> str:
    """Guests have names of their own, so that they cannot break the owner's barriers."""
    asked = call.request
    return name if asked.rolemask & OWNER else f"{asked.userid}:{name}"
