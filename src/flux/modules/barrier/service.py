"""`barrier`: holds its callers until as many have come as they said, then lets all go at once (2016's barrier)."""

from collections.abc import Iterable
from errno import ECONNABORTED, EEXIST, EINVAL
from typing import Any, ClassVar

from flux.modules.barrier.gate import Count, Gate, merged
from flux.service import LATER, Call, Later, Service, event, request
from flux.wire.message import USER, Event


class Barrier(Service):
    """Waiters are counted up the tree; rank 0 opens by event. A waiter that leaves breaks the barrier for all."""

    name: ClassVar[str] = "barrier"

    async def start(self) -> None:
        """Begins with no barrier."""
        self._gates: dict[str, Gate] = {}
        self._calls: dict[str, list[Call]] = {}
        self._decided: set[str] = set()

    @request(allow=USER)
    def enter(self, call: Call, *, name: str, nprocs: int) -> Later:
        """Waits until `nprocs` callers have entered `name`. Errors: EINVAL, EEXIST (twice), ECONNABORTED (broken)."""
        if nprocs < 1:
            raise OSError(EINVAL, f"barrier {name}: nprocs must be at least 1, not {nprocs}")
        gate = self._gates.setdefault(name, Gate(nprocs))
        try:
            gate.enter(call.sender, nprocs)
        except OSError as error:
            if error.errno == EEXIST:
                self._break(name)
            raise OSError(error.errno, f"barrier {name}: {error.strerror}") from None
        self._calls.setdefault(name, []).append(call)
        call.on_close = lambda: self._break(name)
        self.contribute(name, gate.count())
        return LATER

    @event("barrier.exit")
    def exit(self, event: Event) -> None:
        """Rank 0 has decided: everybody goes, and the name is free again."""
        body = event.body()
        name, errnum = str(body["name"]), int(body["errnum"])
        self._gates.pop(name, None)
        self._decided.discard(name)
        self.close(name, event)
        for call in self._calls.pop(name, []):
            if errnum:
                call.refuse(errnum, f"barrier {name}: {_WHY.get(errnum, 'broken')}")
            else:
                call.respond()

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

    def _break(self, name: str) -> None:
        gate = self._gates.setdefault(name, Gate(0))
        gate.errnum = gate.errnum or ECONNABORTED
        self.contribute(name, gate.count())


_WHY = {ECONNABORTED: "broken: a waiter left or entered twice", EINVAL: "its callers disagree on nprocs"}
