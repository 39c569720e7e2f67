"""`reduce`: programs all over the session bring values to a name, and each gets what all of them make together."""

from collections.abc import Iterable
from errno import ECONNABORTED
from typing import Any, ClassVar

from flux.modules.reduce.fold import WHY, Fold, merged
from flux.service import LATER, Call, Later, Service, event, request
from flux.service.company import Company
from flux.wire.message import OWNER, USER, Event


class Reduce(Service):
    """Values are folded on their way up the tree; rank 0 tells all by event. Who leaves breaks it for all."""

    name: ClassVar[str] = "reduce"

    async def start(self) -> None:
        """Begins with no reduction."""
        self._folds: dict[str, Fold] = {}
        self._waiting: dict[str, list[Call]] = {}
        self._decided: set[str] = set()
        self._company = Company()

    async def stop(self) -> None:
        """Who waits here will not be there to hear of it."""
        for key in self._waiting:
            self.notify("reduce.abandon", {"key": key}, nodeid=0)

    @request()
    def abandon(self, call: Call, *, key: str) -> None:
        """Rank 0: somewhere the service is unloaded, and callers are sent away."""
        self._decide(key, ECONNABORTED)

    @request(allow=USER)
    def enter(self, call: Call, *, name: str, nprocs: int, op: str = "sum", value: Any = None) -> Later:
        """Brings `value` to the reduction `name`; answers {value} when `nprocs` callers have come.

        `op` is sum, min or max of numbers; set (each value once) or list (all, in no order) of any JSON values.
        Errors: EINVAL (no such op, no number, callers that disagree), EEXIST (twice by one client), ECONNABORTED (one
        left).
        """
        key = _key(call, name)
        try:
            self._folds.setdefault(key, Fold()).enter(call.sender, nprocs, op, value)
        except OSError as error:
            raise OSError(error.errno, f"reduce {name}: {error.strerror}") from None
        finally:
            self._report(key)
        self._waiting.setdefault(key, []).append(call)
        call.on_close = lambda: self._break(key)
        return LATER

    @event("reduce.done")
    def leave(self, event: Event) -> None:
        """Rank 0 has decided: everybody is told, and the name is free again."""
        body = event.body()
        key, errnum = str(body["name"]), int(body["errnum"])
        self._folds.pop(key, None)
        self._decided.discard(key)
        self._company.over(key)
        self.close(key, event)
        for call in self._waiting.pop(key, []):
            if errnum:
                call.refuse(errnum, f"reduce {call.request.body()['name']}: {WHY.get(errnum, 'broken')}")
            else:
                call.respond({"value": body["value"]})

    def events_lost(self) -> None:
        """Whether ours are over cannot be known any more: nobody shall wait forever."""
        for key in list(self._folds):
            self._break(key)

    def merge(self, key: str, values: Iterable[Any]) -> dict[str, Any]:
        """What each rank reports: of a broker that moves, and is reported twice for a moment, once."""
        return {rank: report for value in values for rank, report in value.items()}

    def reduced(self, key: str, value: Any) -> None:
        """Rank 0: tells all once everybody has come, or nobody can be waited for."""
        self._company.come(key, value)
        report = merged(value.values())
        if report.decided:
            self._decide(key, report.errnum, report.value)

    @event("live.cstate")
    def somebody_changed(self, event: Event) -> None:
        """Rank 0: what callers of a broker that is gone had come to will not be whole any more."""
        for key in self._company.bereaved(event):
            self._decide(key, ECONNABORTED)

    def _decide(self, key: str, errnum: int, value: Any = None) -> None:
        """Others' guests do not hear it."""
        if key not in self._decided:
            self._decided.add(key)
            self.publish("reduce.done", {"name": key, "errnum": errnum, "value": value}, private=True)

    def _break(self, key: str) -> None:
        self._folds.setdefault(key, Fold()).break_up(ECONNABORTED)
        self._report(key)

    def _report(self, key: str) -> None:
        """Tells the tree how things stand, unless nobody has ever been let in."""
        report = self._folds[key].report
        if report.come or report.errnum:
            self.contribute(key, {str(self.host.rank): report})
        else:
            del self._folds[key]


def _key(call: Call, name: str) -> str:
    """Guests have names of their own, so that they cannot break the owner's reductions."""
    asked = call.request
    return name if asked.rolemask & OWNER else f"{asked.userid}:{name}"
