"""Requests that wait for an answer, by the hop that owes it: an RPC never hangs because a hop is gone."""

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

    def forget(self, sender: bytes, service: str = "") -> None:
        """A sender is gone (or has left one service): nobody waits for those answers."""
        for owed in self._hops.values():
            for key, request in list(owed.items()):
                if request.sender == sender and service in ("", request.service):
                    del owed[key]

    def lost(self, hop: bytes, errnum: int, text: str = "") -> list[Response]:
        """The hop is gone: returns the refusals for all that it still owed."""
        return [refuse(request, errnum, text) for request in self._hops.pop(hop, {}).values()]

    def count(self, hop: bytes) -> int:
        """How many requests `hop` has not answered."""
        return len(self._hops.get(hop, ()))
