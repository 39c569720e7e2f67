"""Requests that wait for an answer, by the hop that owes it: an RPC never hangs because a hop is gone."""

from collections.abc import Callable
from itertools import pairwise

from flux.wire.message import Request, Response, Route, refuse

Key = tuple[Route, int]


class Pending:
    """For each hop the requests it has not answered yet. Only what makes the refusal is kept."""

    def __init__(self) -> None:
        self._hops: dict[bytes, dict[Key, Request]] = {}

    def watch(self, hop: bytes) -> None:
        """Begins to keep the requests that go to `hop`."""
        self._hops.setdefault(hop, {})

    def sent(self, hop: bytes, request: Request) -> None:
        """Notes a request that goes to `hop`, with the route it has on the way."""
        owed = self._hops.get(hop)
        if owed is not None and request.wants_answer:
            owed[request.route, request.matchtag] = Request(
                request.userid, request.rolemask, request.flags, request.topic, None, 0, request.matchtag, request.route
            )

    def wanted(self, hop: bytes, request: Request) -> bool:
        """Whether somebody still waits for the answer to a request that was kept for `hop`, and goes elsewhere now."""
        if not (request.wants_answer and request.matchtag):
            return True
        return self._hops[hop].pop((request.route, request.matchtag), None) is not None

    def answered(self, hop: bytes, response: Response) -> bool:
        """Notes a response from `hop`; the last one settles the request. False if nobody waits for it (any more)."""
        owed = self._hops.get(hop)
        if owed is None:
            return True
        key = response.route, response.matchtag
        expected = key in owed or not response.matchtag  # without a matchtag they cannot be told apart
        if response.final:
            owed.pop(key, None)
        return expected

    def withdrawn(self, hop: bytes, route: Route, service: str) -> None:
        """A sender leaves a service, by the way that its requests took: nobody on that way waits for the answers."""
        owed = self._hops.get(hop, {})
        for key in [key for key, request in owed.items() if key[0] == route and request.service == service]:
            del owed[key]

    def forget(self, link: bytes) -> None:
        """Nothing goes back to that neighbour, or to that client of ours, any more: nobody waits for those answers."""
        self._drop(lambda route: route[0] == link)

    def forget_way(self, near: bytes, far: bytes) -> None:
        """Nothing gets from one broker to the next there any more."""
        self._drop(lambda route: (near, far) in pairwise(route))

    def holder(self, route: Route, matchtag: int) -> bytes | None:
        """The hop that owes the answer to that request."""
        return next((hop for hop, owed in self._hops.items() if (route, matchtag) in owed), None)

    def _drop(self, which: Callable[[Route], bool]) -> None:
        for owed in self._hops.values():
            for key in [key for key in owed if which(key[0])]:
                del owed[key]

    def lost(self, hop: bytes, errnum: int, text: str = "") -> list[Response]:
        """The hop is gone: returns the refusals for all that it still owed."""
        return [refuse(request, errnum, text) for request in self._hops.pop(hop, {}).values()]

    def count(self, hop: bytes) -> int:
        """How many requests `hop` has not answered."""
        return len(self._hops.get(hop, ()))
