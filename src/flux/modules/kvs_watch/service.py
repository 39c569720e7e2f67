"""kvs-watch: tells callers what becomes of a key, root by root."""

from errno import ENOTSUP
from functools import partial
from typing import Any

from flux.base.kvskey import normal
from flux.modules.kvs_watch.flags import check
from flux.modules.kvs_watch.watched import Watched
from flux.modules.kvs_watch.watcher import Watcher
from flux.modules.kvs_watch.watching import Watching
from flux.service import LATER, Call, Later, Service, event, request
from flux.wire.message import USER, Event, Response

PREFIX = "kvs.namespace-"


class KVSWatch(Service):
    """Hears which root is the next, and which keys it has changed; has kvs look them up."""

    name = "kvs-watch"

    async def start(self) -> None:
        self.namespaces: dict[str, Watched] = {}
        self._windowed: dict[tuple[bytes, int], Watching] = {}
        """Those whose callers give credits, by sender and matchtag."""

    @request(allow=USER)
    def lookup(self, call: Call, *, key: str, namespace: str, flags: int, window: int = 0) -> Later:
        """Gives what is at a key and, as the flags say, what becomes of it.

        Of a value in parts (STREAM, APPEND), about `window` bytes come before the caller gives credits (ours).
        """
        check(flags, call.request.streaming)
        key = normal(key)
        watched = self.namespaces.setdefault(namespace, Watched(namespace))
        watching = Watching(self, call, watched)
        if window > 0:
            self._windowed[call.key] = watching
        watching.begin(key, flags, window)
        return LATER

    @request(allow=USER)
    def credit(self, call: Call, *, matchtag: int, size: int) -> None:
        """The sender has dealt with so many bytes of what its request `matchtag` has brought."""
        watching = self._windowed.get((call.sender, matchtag))
        if watching is not None:
            watching.watcher.credit(size)

    # -- roots ------------------------------------------------------------------------------------------------------

    @event(PREFIX)
    def told_of_root(self, event: Event) -> None:
        """There is a new root, or none any more."""
        namespace, _, what = event.topic.removeprefix(PREFIX).rpartition("-")
        watched = self.namespaces.get(namespace)
        if watched is None:
            return
        if what == "removed":
            for watcher in list(watched.watchers):
                watcher.fail(ENOTSUP, f"namespace {namespace} was removed")
        elif what in ("created", "setroot"):
            watched.arrive(event.body())

    def ask_root(self, watched: Watched) -> None:
        """Asks where a namespace stands; one that is not there yet may be created."""
        if not watched.asking:
            watched.asking = True
            self.send_request("kvs.getroot", {"namespace": watched.name}, partial(self._got_root, watched))

    def _got_root(self, watched: Watched, response: Response) -> None:
        watched.asking = False
        if not response.errnum:
            watched.arrive(response.body())
            return
        for watcher in list(watched.watchers):
            if response.errnum != ENOTSUP or watched.known or not watcher.patient:
                watcher.fail(response.errnum, response.text())

    def events_lost(self) -> None:
        """Asks for all roots again."""
        for watched in self.namespaces.values():
            self.ask_root(watched)

    def leave(self, watched: Watched, watcher: Watcher, call: Call) -> None:
        """Somebody watches no more. A namespace that nobody watches is not followed."""
        self._windowed.pop(call.key, None)
        watched.remove(watcher)
        if not watched.watchers and self.namespaces.get(watched.name) is watched:
            del self.namespaces[watched.name]

    # -- figures ----------------------------------------------------------------------------------------------------

    @request(allow=USER)
    def stats_get(self, call: Call) -> dict[str, Any]:
        """Who is watching: how many, and which roots they have come to."""
        namespaces = {name: watched.figures() for name, watched in self.namespaces.items()}
        return {
            "watchers": sum(of["watchers"] for of in namespaces.values()),
            "namespace-count": len(namespaces),
            "namespaces": namespaces,
        }
