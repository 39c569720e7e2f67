"""`flux kvs get` with --watch, --waitcreate or --stream: values as they come."""

from argparse import Namespace
from errno import EINVAL, ENODATA

from flux.base import treeobj
from flux.commands.kvs import named, write_value
from flux.constants import (
    FLUX_KVS_STREAM,
    FLUX_KVS_TREEOBJ,
    FLUX_KVS_WAITCREATE,
    FLUX_KVS_WATCH,
    FLUX_KVS_WATCH_APPEND,
    FLUX_KVS_WATCH_FULL,
    FLUX_KVS_WATCH_UNIQ,
)
from flux.core.handle import Flux
from flux.kvs.watch import watch_rpc
from flux.rpc import RPC


def show(handle: Flux, args: Namespace) -> None:
    """Shows values of keys: all of them as they change, or one key after the other."""
    if args.at is not None:
        raise OSError(EINVAL, "--at is a snapshot: there is nothing to wait for")
    view = View(handle, args)
    if args.watch:
        view.watch()
        return
    for key in args.keys:
        view.take_all(key)


def wanted(args: Namespace) -> int:
    """The flags of a lookup."""
    asked = [(args.treeobj, FLUX_KVS_TREEOBJ), (args.waitcreate, FLUX_KVS_WAITCREATE), (args.stream, FLUX_KVS_STREAM)]
    asked += [(args.watch, FLUX_KVS_WATCH)]
    if args.watch:
        asked += [(args.full, FLUX_KVS_WATCH_FULL), (args.uniq, FLUX_KVS_WATCH_UNIQ)]
        asked += [(args.append, FLUX_KVS_WATCH_APPEND)]
    return sum(flag for on, flag in asked if on)


class View:
    """Values that are shown, and how many they were."""

    def __init__(self, handle: Flux, args: Namespace) -> None:
        self._handle, self._args = handle, args
        self._flags, self._shown = wanted(args), 0
        self._text = False
        """Whether a line was begun, of a value that comes in parts."""

    def watch(self) -> None:
        """Shows what becomes of all keys, until there have been enough values."""
        for key in self._args.keys:
            self._ask(key).then(self._watched, key)
        self._handle.reactor_run()

    def take_all(self, key: str) -> None:
        """Shows a value, or all of its parts, and returns at the end."""
        asked = self._ask(key)
        while self._show(key, asked) and self._args.stream:
            asked.reset()
        if self._text:
            print(flush=True)
            self._text = False

    def _ask(self, key: str) -> RPC:
        return watch_rpc(self._handle, key, self._flags, self._args.namespace)

    def _watched(self, asked: RPC, key: str) -> None:
        if self._args.count and self._shown == self._args.count:
            return
        if self._show(key, asked):
            asked.reset()
        if self._args.count and self._shown == self._args.count:
            self._handle.reactor_stop()

    def _show(self, key: str, asked: RPC) -> bool:
        """Shows the next value. Returns whether there was one."""
        with named(key):
            try:
                found = asked.get()["val"]
            except OSError as error:
                if error.errno == ENODATA and self._flags & (FLUX_KVS_WATCH | FLUX_KVS_STREAM):
                    return False
                raise
        value = treeobj.encode(found) if self._args.treeobj else treeobj.value_of(found)
        write_value(self._args, key, value, b"" if self._args.stream else b"\n")
        self._shown += 1
        self._text = self._text or bool(self._args.stream and value and not self._args.treeobj and not self._args.raw)
        return True
