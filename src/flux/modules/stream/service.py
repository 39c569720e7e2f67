"""stream: writes streams to the key-value store, each a log of events (RFC 24) at a key. On rank 0, as commits are.

A writer opens a log, sends under numbers as long as it has credits, ends what it owes, and says farewell. One that is
gone without that has its ends written for it, with a remark, so that readers do not wait for it."""

import asyncio
from errno import EBUSY, EEXIST, EINVAL, EIO, EISDIR, ENOENT
from functools import partial
from typing import Any, ClassVar

from flux.base import blobref, treeobj
from flux.base.idset import IDset
from flux.base.kvskey import normal
from flux.base.streamlog import Fold
from flux.constants import FLUX_KVS_APPEND, FLUX_KVS_TREEOBJ
from flux.modules.stream.log import Batch, Log
from flux.modules.stream.writer import WINDOW, Writer
from flux.service import ALL, LATER, Call, Later, Service, request
from flux.service.ports import Timer
from flux.wire.message import Response

LAZY = 1 << 16
"""Flag of a commit (ours): it may share its root with others that come in a moment."""
GONE = "a writer was gone before the end"

Place = tuple[str, str]
"""A namespace and a key."""


class Writing:
    """A log, and when it is looked at next."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.timer: Timer | None = None
        self.at = 0.0


class Turns(asyncio.Lock):
    """Those who open a log, one after the other."""

    users = 0


class Stream(Service):
    """Puts what writers send into appends."""

    name: ClassVar[str] = "stream"

    async def start(self) -> None:
        """Begins with no log."""
        self._logs: dict[Place, Writing] = {}
        self._opening: dict[Place, Turns] = {}
        self._writers: dict[tuple[bytes, int], tuple[Place, Writer]] = {}
        self._calls: dict[Writer, Call] = {}
        self._all_over = asyncio.Event()

    async def stop(self) -> None:
        """Ends what is being written, and waits until that is there."""
        for place, writer in list(self._writers.values()):
            self._leave(place, writer, self.farewell)
        self._all_over.clear()
        if self._logs:
            await self._all_over.wait()

    # -- opening ----------------------------------------------------------------------------------------------------

    @request(stream=True)
    async def open(
        self,
        call: Call,
        *,
        key: str,
        namespace: str = "primary",
        mode: str = "x",
        streams: tuple[str, ...] = ("stdout",),
        ranks: str = "0",
        writers: int = 1,
    ) -> Later:
        """Lets the caller write streams, for ranks (RFC 22), whose ends it owes.

        `mode` is x for a log that must not be there yet, w to begin it anew, a to join in. A new one ends when
        `writers` such callers have ended it, and nobody writes any more. Answers {"credits"}: so many bytes more may
        be sent, first and whenever something is in the key-value store; the end of the stream follows the farewell.
        Errors: EEXIST, EBUSY (somebody writes what is to begin anew), EINVAL, and those of commits.
        """
        place = namespace, normal(key)
        writer = Writer(streams, _ranks(ranks))
        if mode not in ("x", "w", "a") or not writer.owed or writers < 1:
            raise OSError(EINVAL, "a stream is opened by mode x, w or a, with streams and ranks, by one writer or more")
        turns = self._opening.setdefault(place, Turns())
        turns.users += 1
        try:
            async with turns:
                log = await self._log(place, mode)
                if log.new:
                    counts = dict.fromkeys(streams, len(IDset(ranks)) * writers)
                    log.begin(writer, counts, self.host.wall())
                else:
                    log.join(writer)
                self._enter(call, place, log, writer)
        except OSError as error:
            raise OSError(error.errno, f"{key}: {error.strerror}") from None
        finally:
            turns.users -= 1
            if not turns.users:
                del self._opening[place]
        return LATER

    def _enter(self, call: Call, place: Place, log: Log, writer: Writer) -> None:
        self._logs.setdefault(place, Writing(log))
        self._writers[call.key] = place, writer
        self._calls[writer] = call
        call.on_close = partial(self._leave, place, writer, GONE)
        self._wake(place)

    async def _log(self, place: Place, mode: str) -> Log:
        """The log that is meant, a new one if there is none."""
        writing = self._logs.get(place)
        if writing is not None and mode != "a":
            raise OSError(*((EBUSY, "somebody is writing it") if mode == "w" else (EEXIST, "is there already")))
        if writing is not None:
            return writing.log
        log, found = Log(), await self._find(place)
        if found is not None and mode == "x":
            raise OSError(EEXIST, "is there already")
        if found is not None and found["type"] in ("dir", "dirref"):
            raise OSError(EISDIR, "is a directory")
        if found is not None and mode == "a":
            log.resume(await self._read(found), len(found["data"]))
        return log

    async def _find(self, place: Place) -> treeobj.Treeobj | None:
        namespace, key = place
        try:
            asked = {"key": key, "namespace": namespace, "flags": FLUX_KVS_TREEOBJ}
            found: treeobj.Treeobj = (await self.rpc("kvs.lookup", asked))["val"]
        except OSError as error:
            if error.errno != ENOENT:
                raise
            return None
        return found

    async def _read(self, found: treeobj.Treeobj) -> Fold:
        """How far a log is. It is read blob by blob, for it may be long."""
        fold = Fold()
        match found["type"]:
            case "val":
                fold.feed(treeobj.value_of(found))
            case "valref":
                for ref in found["data"]:
                    fold.feed((await self.ask("content.load", blobref.digest(ref))).payload() or b"")
            case kind:
                raise OSError(EINVAL, f"is a {kind}, not a stream")
        return fold

    # -- writing ----------------------------------------------------------------------------------------------------

    @request()
    def write(self, call: Call, *, matchtag: int, number: int, io: dict[str, Any] | None = None) -> None:
        """Takes an io object (RFC 24) of the writer that this client has opened by `matchtag`; none is its farewell."""
        if (call.sender, matchtag) not in self._writers:
            return
        place, writer = self._writers[call.sender, matchtag]
        log = self._logs[place].log
        try:
            for write in writer.receive(number, io):
                log.write(writer, write, self.host.wall())
        except OSError as error:
            self._dismiss(writer, error)
            log.leave(writer, self.host.wall(), f"{GONE}: {error.strerror}")
        self._wake(place)

    def _leave(self, place: Place, writer: Writer, why: str) -> None:
        """A writer is gone, in whatever way."""
        self._forget(writer)
        if place in self._logs:
            self._logs[place].log.leave(writer, self.host.wall(), why)
            self._wake(place)

    def _dismiss(self, writer: Writer, error: OSError) -> None:
        call = self._forget(writer)
        if call is not None:
            call.refuse(error.errno or EIO, error.strerror or "")

    def _forget(self, writer: Writer) -> Call | None:
        call = self._calls.pop(writer, None)
        if call is not None:
            self._writers.pop(call.key, None)
        return call

    # -- appends ----------------------------------------------------------------------------------------------------

    def _wake(self, place: Place) -> None:
        """Something has happened to a log: it is over, or something is to be appended, now or later."""
        writing, now = self._logs.get(place), self.host.now()
        if writing is None:
            return
        if writing.log.over:
            self._drop(place)
            return
        seconds = writing.log.due(now)
        if seconds is None or (writing.timer is not None and writing.at <= now + seconds):
            return
        if writing.timer is not None:
            writing.timer.cancel()
        writing.at = now + seconds
        writing.timer = self.host.after(seconds, partial(self._flush, place, writing))

    def _flush(self, place: Place, writing: Writing) -> None:
        writing.timer = None
        log = writing.log
        if self._logs.get(place) is not writing or log.due(self.host.now()) is None:
            return
        batch = log.take()
        if not batch.lines:
            self._appended(place, log, batch, Response())
            return
        namespace, key = place
        op = {"key": key, "flags": 0 if batch.first else FLUX_KVS_APPEND, "dirent": treeobj.val(batch.lines)}
        asked = {"namespace": namespace, "flags": LAZY if batch.lazy else 0, "ops": [op]}
        self.send_request("kvs.commit", asked, partial(self._appended, place, log, batch))

    def _appended(self, place: Place, log: Log, batch: Batch, response: Response) -> None:
        log.appended(batch, self.host.now())
        if response.errnum:
            error = OSError(response.errnum, f"{place[1]}: {response.text()}")
            for writer in log.waiting() | batch.credits.keys():
                self._dismiss(writer, error)
            self._drop(place)
            return
        for writer, count in batch.credits.items():
            self._credit(writer, count)
        for writer in batch.parted:
            call = self._forget(writer)
            if call is not None:
                call.end()
        self._wake(place)

    def _credit(self, writer: Writer, count: int) -> None:
        call, count = self._calls.get(writer), count if writer.greeted else WINDOW
        if call is not None and count:
            writer.greeted = True
            call.respond({"credits": count})

    def _drop(self, place: Place) -> None:
        del self._logs[place]
        if not self._logs:
            self._all_over.set()

    # -- figures ----------------------------------------------------------------------------------------------------

    @request()
    def stat(self, call: Call, *, key: str, namespace: str = "primary") -> dict[str, int]:
        """How many write a stream now."""
        writing = self._logs.get((namespace, normal(key)))
        return {"writers": len(writing.log.writers) if writing is not None else 0}

    @request(allow=ALL)
    def stats_get(self, call: Call) -> dict[str, Any]:
        """Streams that are being written, and by how many."""
        return super().stats_get(call) | {"streams": len(self._logs), "writers": len(self._writers)}


def _ranks(text: str) -> IDset:
    try:
        return IDset(text)
    except ValueError as error:
        raise OSError(EINVAL, f"ranks: {error}") from None
