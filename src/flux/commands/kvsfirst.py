"""Commands of `flux kvs` from its first years: kinds of values, whether keys exist, watches, files as values."""

import json
import sys
from argparse import Namespace
from binascii import Error, a2b_base64, b2a_base64
from collections.abc import Iterator
from errno import EINVAL, ENOENT
from typing import Any

from flux.base import treeobj
from flux.base.treeobj import Treeobj
from flux.commands.kvs import named
from flux.commands.kvsview import Tree
from flux.commands.parser import Parser, count
from flux.constants import FLUX_KVS_TREEOBJ, FLUX_KVS_WAITCREATE, FLUX_KVS_WATCH, FLUX_KVS_WATCH_FULL
from flux.core.handle import Flux
from flux.kvs.reading import exists, get_raw
from flux.kvs.watch import watch_rpc
from flux.kvs.writing import KVSTxn

KINDS = {type(None): "null", bool: "boolean", float: "double", int: "int", dict: "object", list: "array"}
RULE = "=" * 22


def keys_options(made: Parser) -> None:
    """Some keys."""
    made.add_argument("keys", nargs="+", metavar="KEY")


def kind(handle: Flux, args: Namespace) -> None:
    """Runs `flux kvs type`."""
    for key in args.keys:
        print(KINDS.get(type(_read(get_raw(handle, key, args.namespace))), "string"))


def _read(value: bytes) -> Any:
    """What a value is in JSON; text that is none is a string."""
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return ""


def exist(handle: Flux, args: Namespace) -> int:
    """Runs `flux kvs exists`."""
    return 0 if all(exists(handle, key, args.namespace) for key in args.keys) else 1


# -- watches -----------------------------------------------------------------------------------------------------------


def watch_options(made: Parser) -> None:
    """A key."""
    made.add_argument("key", metavar="KEY")


def watch(handle: Flux, args: Namespace) -> None:
    """Runs `flux kvs watch`."""
    for found in _versions(handle, args, 0):
        sys.stdout.flush()
        sys.stdout.buffer.write(b"NULL\n" if found is None else treeobj.value_of(found) + b"\n")
        sys.stdout.buffer.flush()


def watch_dir_options(made: Parser) -> None:
    """A directory, and how often it is shown."""
    made.add_argument("-r", "-R", "--recursive", action="store_true", help="and what is in directories below")
    made.add_argument("count", nargs="?", type=count, default=0, metavar="COUNT", help="end after COUNT versions")
    made.add_argument("key", metavar="KEY")
    made.set_defaults(directory=False, width=None)


def watch_dir(handle: Flux, args: Namespace) -> None:
    """Runs `flux kvs watch-dir`."""
    for number, found in enumerate(_versions(handle, args, FLUX_KVS_TREEOBJ), 1):
        try:
            if found is None:
                raise OSError(ENOENT, "")
            Tree(handle, args, None).show(args.key)
            print(RULE, flush=True)
        except OSError as error:
            if error.errno != ENOENT:
                raise
            print(f"{args.key}: No such file or directory", flush=True)
        if number == args.count:
            return


def _versions(handle: Flux, args: Namespace, flags: int) -> Iterator[Treeobj | None]:
    """What is at a key now and after each change, without an end; None as long as there is nothing."""
    flags |= FLUX_KVS_WATCH | FLUX_KVS_WATCH_FULL | FLUX_KVS_WAITCREATE
    if not exists(handle, args.key, args.namespace):
        yield None
    while True:
        asked = watch_rpc(handle, args.key, flags, args.namespace)
        found: Treeobj | None = {}
        while found is not None:
            found = _next(args.key, asked)
            yield found
            asked.reset()


def _next(key: str, asked: Any) -> Treeobj | None:
    with named(key):
        try:
            found: Treeobj = asked.get()["val"]
        except OSError as error:
            if error.errno != ENOENT:
                raise
            return None
    return found


# -- files -------------------------------------------------------------------------------------------------------------


def file_options(made: Parser) -> None:
    """A key and a file."""
    made.add_argument("key", metavar="KEY")
    made.add_argument("file", metavar="FILE", help="`-` is standard input or output")


def to_kvs(handle: Flux, args: Namespace) -> None:
    """Runs `flux kvs copy-tokvs`."""
    if args.file == "-":
        data = sys.stdin.buffer.read()
    else:
        with open(args.file, "rb") as file:
            data = file.read()
    with KVSTxn(handle, namespace=args.namespace) as txn:
        txn.put(args.key, {"data": b2a_base64(data, newline=False).decode()})


def from_kvs(handle: Flux, args: Namespace) -> None:
    """Runs `flux kvs copy-fromkvs`."""
    data = _file(args.key, get_raw(handle, args.key, args.namespace))
    if args.file == "-":
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    else:
        with open(args.file, "wb") as file:
            file.write(data)


def _file(key: str, value: bytes) -> bytes:
    try:
        return a2b_base64(_read(value)["data"], strict_mode=True)
    except (Error, ValueError, TypeError, KeyError):
        raise OSError(EINVAL, "not a file that was copied by copy-tokvs", key) from None
