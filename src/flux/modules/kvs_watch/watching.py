"""What a watcher has done for it: lookups in its caller's name, loads, answers."""

from collections.abc import Callable
from errno import ENODATA, EPERM
from typing import TYPE_CHECKING, Any

from flux.base import blobref
from flux.base.treeobj import Treeobj
from flux.modules.kvs_watch.watched import Watched
from flux.modules.kvs_watch.watcher import Found, Loaded, Watcher
from flux.service import Call
from flux.wire.message import OWNER, Request, Response

if TYPE_CHECKING:
    from flux.modules.kvs_watch.service import KVSWatch


class Watching:
    """One call."""

    def __init__(self, service: "KVSWatch", call: Call, watched: Watched) -> None:
        self._service, self._call, self._watched = service, call, watched

    def begin(self, key: str, flags: int, window: int) -> None:
        """Begins to watch."""
        watched = self._watched
        self.watcher = Watcher(key, flags, self, window)
        watched.add(self.watcher)
        self._call.on_close = self._leave
        if watched.known:
            self.watcher.look(watched.ref, watched.seq)
        else:
            self._service.ask_root(watched)

    def _leave(self) -> None:
        self.watcher.close()
        self._service.leave(self._watched, self.watcher, self._call)

    # -- the ways of a watcher --------------------------------------------------------------------------------------

    def look(self, question: dict[str, Any], told: Callable[[Found], None]) -> None:
        """Has kvs look in the caller's name: a link may lead into a namespace that is not theirs."""
        asked = self._call.request
        if not asked.rolemask & OWNER and asked.userid != self._watched.owner:
            told(Found(None, EPERM, f"namespace {self._watched.name} is somebody else's"))
            return
        mine = Request(asked.userid, asked.rolemask, 0, "kvs.lookup-plus", question)
        self._service.ask_as(mine, lambda response: told(_found(response)))

    def load(self, ref: str, told: Callable[[Loaded], None]) -> None:
        """Loads a part of a value."""
        self._service.send_request("content.load", blobref.digest(ref), lambda response: told(_loaded(response)))

    def answer(self, value: Treeobj | None) -> None:
        """Tells the caller a value, or that all has been told that was there at first."""
        self._call.respond(None if value is None else {"val": value})
        if self._call.closed:
            self._leave()

    def end(self, errnum: int, text: str) -> None:
        """Tells the caller nothing more."""
        if errnum != ENODATA:
            self._call.refuse(errnum, text)
        elif self._call.request.streaming:
            self._call.end()
        self._leave()


def _found(response: Response) -> Found:
    if response.errnum:
        return Found(None, response.errnum, response.text())
    body = response.body()
    return Found(body.get("val"), body.get("errno", 0))


def _loaded(response: Response) -> Loaded:
    return Loaded(response.payload() or b"", response.errnum, response.text())
