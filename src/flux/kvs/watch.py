"""Watching a key: a future that is fulfilled with each of its values."""

from abc import ABC, abstractmethod
from contextlib import suppress
from errno import EINVAL, ENODATA
from os import strerror
from typing import TYPE_CHECKING, Any

from flux.base import treeobj
from flux.constants import (
    FLUX_KVS_STREAM,
    FLUX_KVS_WAITCREATE,
    FLUX_KVS_WATCH,
    FLUX_KVS_WATCH_FULL,
    FLUX_KVS_WATCH_UNIQ,
    FLUX_NODEID_ANY,
    FLUX_RPC_STREAMING,
)
from flux.future import Future
from flux.kvs.values import decoded
from flux.kvs.where import namespace_or_default
from flux.rpc import RPC

if TYPE_CHECKING:
    from flux.core.handle import Flux


def watch_rpc(flux_handle: "Flux", key: str, flags: int, namespace: str | None = None) -> RPC:
    """Asks for a key and what becomes of it. Each answer is {"val": tree object}; ENODATA ends them."""
    if not key:
        raise OSError(EINVAL, strerror(EINVAL), key)
    payload = {"key": key, "namespace": namespace_or_default(namespace), "flags": flags}
    streaming = FLUX_RPC_STREAMING if flags & (FLUX_KVS_WATCH | FLUX_KVS_STREAM) else 0
    return flux_handle.rpc("kvs-watch.lookup", payload, FLUX_NODEID_ANY, streaming)


class WatchImplementation(Future, ABC):
    """A future over one that is fulfilled again and again. Subclasses say what a value is and how it is cancelled."""

    needs_cancel = False

    def __init__(self, future_handle: Future) -> None:
        super().__init__(future_handle)
        self.pimpl = future_handle
        """The future that is fulfilled."""
        self.needs_cancel = True

    def __del__(self) -> None:
        if self.needs_cancel:
            with suppress(Exception):  # the handle may be closed already
                self.cancel()

    @abstractmethod
    def watch_get(self, future: Future) -> Any:
        """What the future is fulfilled with, as the caller shall have it."""

    @abstractmethod
    def watch_cancel(self, future: Future) -> None:
        """Asks for the end."""

    def get(self, autoreset: bool = True) -> Any:
        """Waits for the next value; None is the end. Without `autoreset` the same value is got until `reset`."""
        try:
            self.wait_for()
            value = self.watch_get(self.pimpl)
        except OSError as error:
            self.needs_cancel = False
            if error.errno == ENODATA:
                return None
            raise
        if autoreset:
            self.reset()
        return value

    def cancel(self, stop: bool = False) -> None:
        """Asks for the end; values that are on their way still come, unless `stop` ends the callbacks at once."""
        self.needs_cancel = False
        self.watch_cancel(self.pimpl)
        if stop:
            self.stop()

    def stop(self) -> None:
        """Ends the calls of the callback."""
        super().stop()
        self.pimpl.stop()


class KVSWatchFuture(WatchImplementation):
    """What `kvs_watch_async` returns."""

    def watch_get(self, future: Future) -> Any:
        """The value, as `flux.kvs.get` gives it."""
        return decoded(treeobj.value_of(future.get()["val"]))

    def watch_cancel(self, future: Future) -> None:
        """Asks the service to end."""
        if isinstance(future, RPC):
            future.cancel()


def kvs_watch_async(
    flux_handle: "Flux",
    key: str,
    namespace: str | None = None,
    waitcreate: bool = False,
    uniq: bool = False,
    full: bool = False,
) -> KVSWatchFuture:
    """Watches `key`: the future is fulfilled with its value, and again whenever that is written.

    `waitcreate` waits for a key that is not there, `uniq` leaves out what is as before, `full` notices changes that did
    not name the key, too: a directory above it was replaced, say. OSError: ENOENT when the key is (or gets) missing,
    ENOTSUP when its namespace is.
    """
    flags = FLUX_KVS_WATCH | FLUX_KVS_WAITCREATE * waitcreate | FLUX_KVS_WATCH_UNIQ * uniq | FLUX_KVS_WATCH_FULL * full
    return KVSWatchFuture(watch_rpc(flux_handle, key, flags, namespace))
