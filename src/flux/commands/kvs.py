"""`flux kvs`: reads and writes the key-value store."""

import os
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from errno import EINVAL, ENOENT, ENOSPC, ENOTEMPTY
from importlib import import_module
from typing import Any, NamedTuple

from flux.base import treeobj
from flux.base.blobref import is_blobref
from flux.base.treeobj import Treeobj
from flux.commands.complaint import about
from flux.commands.parser import Parser, command_parser, count
from flux.constants import (
    FLUX_KVS_APPEND,
    FLUX_KVS_NO_MERGE,
    FLUX_KVS_READDIR,
    FLUX_KVS_READLINK,
    FLUX_KVS_SYNC,
    FLUX_KVS_TREEOBJ,
)
from flux.core.handle import Flux
from flux.kvs.reading import get_raw, lookup
from flux.kvs.where import namespace_or_default
from flux.kvs.writing import KVSTxn

EXAMPLES = """\
  flux kvs put a.b=1 a.c=two      two values in one commit: both or none
  flux kvs get a.b
  flux kvs dir -R                 all that is there
  flux kvs COMMAND --help         the options of one command
"""


class Command(NamedTuple):
    """One of the commands: what it does, its help, its options."""

    do: Callable[[Flux, Namespace], int | None]
    summary: str
    example: str
    options: Callable[[Parser], None]
    namespaced: bool = True

    def fill(self, made: Parser) -> Parser:
        """Gives a parser the options."""
        made.description, made.epilog = f"{self.summary}.", f"example:\n  flux kvs {self.example}"
        if self.namespaced:
            namespace_option(made)
        self.options(made)
        made.set_defaults(do=self.do)
        return made


def namespace_option(made: Parser) -> None:
    """Gives a parser the option that says which namespace is meant."""
    made.add_argument("-N", "--namespace", metavar="NAME", help="another namespace than FLUX_KVS_NAMESPACE")


def parser() -> Parser:
    """The options of `flux kvs`."""
    made = command_parser("kvs", "Read and write the key-value store.", EXAMPLES)
    commands = made.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, command in COMMANDS.items():
        command.fill(commands.add_parser(name, help=command.summary))
    return made


def main(argv: list[str]) -> int:
    """Runs `flux kvs`."""
    if argv[:1] == ["eventlog"]:
        # As ever, WHEN is only what is written in one word with the option.
        argv = [{"-L": "-Lalways", "--color": "--color=always"}.get(word, word) for word in argv]
    if argv and argv[0] in COMMANDS:
        # Making the parsers of all the others takes longer than what the command does.
        args = COMMANDS[argv[0]].fill(Parser(prog=f"flux kvs {argv[0]}")).parse_args(argv[1:])
    else:
        args = parser().parse_args(argv)
    with Flux() as handle:
        return args.do(handle, args) or 0


# -- get ---------------------------------------------------------------------------------------------------------------


def _get_options(made: Parser) -> None:
    how = made.add_mutually_exclusive_group()
    how.add_argument("-r", "--raw", action="store_true", help="the value as it is, without a newline")
    how.add_argument("-t", "--treeobj", action="store_true", help="the RFC 11 tree object")
    made.add_argument("-l", "--label", action="store_true", help="KEY= before each value")
    _at_option(made)
    made.add_argument("-W", "--waitcreate", action="store_true", help="wait for keys that are not there")
    made.add_argument("-w", "--watch", action="store_true", help="show what becomes of the keys, too")
    made.add_argument("-c", "--count", type=count, default=0, metavar="N", help="with --watch: end after N values")
    made.add_argument("-u", "--uniq", action="store_true", help="with --watch: not what is as before")
    made.add_argument("-A", "--append", action="store_true", help="with --watch: only what is appended")
    made.add_argument(
        "-f", "--full", action="store_true", help="with --watch: notice also that a directory above was replaced"
    )
    made.add_argument("-S", "--stream", action="store_true", help="large values in parts, as they were appended")
    made.add_argument("keys", nargs="+", metavar="KEY")


def get(handle: Flux, args: Namespace) -> None:
    """Runs `flux kvs get`."""
    if args.watch or args.waitcreate or args.stream:
        from flux.commands.kvswatch import show

        show(handle, args)
        return
    for key in args.keys:
        if args.treeobj:
            write_value(args, key, treeobj.encode(_lookup(handle, args, key, FLUX_KVS_TREEOBJ)))
        elif args.at is None:
            write_value(args, key, get_raw(handle, key, args.namespace))
        else:
            write_value(args, key, treeobj.value_of(_lookup(handle, args, key, 0)))


def write_value(args: Namespace, key: str, value: bytes, end: bytes = b"\n") -> None:
    """Shows a value. As ever: it is text up to the first NUL, and an empty one is not even a line."""
    if args.treeobj:
        value += b"\n"
    elif not args.raw:
        value = value.partition(b"\0")[0] + end if value else b""
    sys.stdout.flush()
    sys.stdout.buffer.write(os.fsencode(key) + b"=" + value if args.label else value)
    sys.stdout.buffer.flush()


def _lookup(handle: Flux, args: Namespace, key: str, flags: int) -> Treeobj:
    return lookup(handle, key, flags, args.namespace, snapshot(args.at, key))


def snapshot(text: str | None, key: str) -> Treeobj | None:
    """The tree object of --at, which may be a blobref alone."""
    if text is None:
        return None
    if is_blobref(text):
        return treeobj.dirref(text)
    with about(key):
        return treeobj.decode(os.fsencode(text))


# -- put, unlink, link, mkdir ------------------------------------------------------------------------------------------


def _put_options(made: Parser) -> None:
    _result_options(made)
    how = made.add_mutually_exclusive_group()
    how.add_argument("-r", "--raw", action="store_true", help="values as they are; `-` is standard input")
    how.add_argument(
        "-t", "--treeobj", action="store_true", help="values are RFC 11 tree objects; `-` is standard input"
    )
    made.add_argument("-A", "--append", action="store_true", help="add to what is there")
    made.add_argument("-n", "--no-merge", action="store_true", help="make a root for this commit alone")
    made.add_argument("-S", "--sync", action="store_true", help="return when it is on disk")
    made.add_argument("pairs", nargs="+", metavar="KEY=VALUE")


def put(handle: Flux, args: Namespace) -> None:
    """Runs `flux kvs put`."""
    txn = KVSTxn(handle, namespace=args.namespace)
    for pair in args.pairs:
        key, equals, text = pair.partition("=")
        if not equals:
            raise OSError(EINVAL, "put: you must specify a value as key=value")
        value = os.fsencode(text)
        if value == b"-" and (args.raw or args.treeobj):
            value = sys.stdin.buffer.read()
        if args.treeobj:
            with about(key):
                txn.stage(key, treeobj.decode(value))
        else:
            txn.stage(key, treeobj.val(value), FLUX_KVS_APPEND if args.append else 0)
    _commit(txn, args, FLUX_KVS_NO_MERGE * args.no_merge | FLUX_KVS_SYNC * args.sync)


def _unlink_options(made: Parser) -> None:
    _result_options(made)
    made.add_argument("-R", "--recursive", action="store_true", help="directories with all that is in them")
    made.add_argument("-f", "--force", action="store_true", help="no error for what is not there")
    made.add_argument("keys", nargs="+", metavar="KEY")


def unlink(handle: Flux, args: Namespace) -> None:
    """Runs `flux kvs unlink`."""
    txn = KVSTxn(handle, namespace=args.namespace)
    for key in args.keys:
        try:
            _check_unlink(handle, args, key)
        except OSError as error:
            if error.errno == ENOENT and args.force:
                continue
            raise OSError(error.errno, f"cannot unlink '{key}': {error.strerror}") from None
        txn.unlink(key)
    _commit(txn, args)


def _check_unlink(handle: Flux, args: Namespace, key: str) -> None:
    """A directory that is not empty goes only when asked for that."""
    found = lookup(handle, key, FLUX_KVS_TREEOBJ, args.namespace)
    if args.recursive or found["type"] not in ("dir", "dirref"):
        return
    if lookup(handle, key, FLUX_KVS_READDIR, args.namespace)["data"]:
        raise OSError(ENOTEMPTY, os.strerror(ENOTEMPTY))


def _link_options(made: Parser) -> None:
    _result_options(made)
    made.add_argument("-T", "--target-namespace", metavar="NAME", help="the namespace that the target is in")
    made.add_argument("target", metavar="TARGET")
    made.add_argument("linkname", metavar="LINKNAME")


def link(handle: Flux, args: Namespace) -> None:
    """Runs `flux kvs link`."""
    txn = KVSTxn(handle, namespace=args.namespace)
    txn.symlink(args.linkname, args.target, args.target_namespace)
    _commit(txn, args)


def _mkdir_options(made: Parser) -> None:
    _result_options(made)
    made.add_argument("keys", nargs="+", metavar="KEY")


def mkdir(handle: Flux, args: Namespace) -> None:
    """Runs `flux kvs mkdir`."""
    txn = KVSTxn(handle, namespace=args.namespace)
    for key in args.keys:
        txn.mkdir(key)
    _commit(txn, args)


def _result_options(made: Parser) -> None:
    show = made.add_mutually_exclusive_group()
    show.add_argument("-O", "--treeobj-root", action="store_true", help="show the new root as an RFC 11 tree object")
    show.add_argument("-b", "--blobref", action="store_true", help="show the new root as a blobref")
    show.add_argument("-s", "--sequence", action="store_true", help="show the new root's sequence number")


def _commit(txn: KVSTxn, args: Namespace, flags: int = 0) -> None:
    with called("flux_kvs_commit"):
        root = txn.commit_async(flags).get()
    if args.treeobj_root:
        print(treeobj.encode(treeobj.dirref(root["rootref"])).decode())
    elif args.blobref:
        print(root["rootref"])
    elif args.sequence:
        print(root["rootseq"])


# -- readlink, copy, move ----------------------------------------------------------------------------------------------


def _readlink_options(made: Parser) -> None:
    _at_option(made)
    only = made.add_mutually_exclusive_group()
    only.add_argument("-o", "--namespace-only", action="store_true", help="only the namespace, if there is one")
    only.add_argument("-k", "--key-only", action="store_true", help="only the key")
    made.add_argument("keys", nargs="+", metavar="KEY")


def readlink(handle: Flux, args: Namespace) -> None:
    """Runs `flux kvs readlink`."""
    for key in args.keys:
        namespace, target = treeobj.link_of(_lookup(handle, args, key, FLUX_KVS_READLINK))
        if args.namespace_only and namespace is not None:
            print(namespace)
        elif args.key_only or namespace is None:
            print(target)
        else:
            print(f"{namespace}::{target}")


def _copy_options(made: Parser) -> None:
    made.add_argument("-S", "--src-namespace", metavar="NAME", help="the namespace of the source")
    made.add_argument("-D", "--dst-namespace", metavar="NAME", help="the namespace of the destination")
    made.add_argument("source", metavar="SOURCE")
    made.add_argument("destination", metavar="DESTINATION")


def copy(handle: Flux, args: Namespace) -> None:
    """Runs `flux kvs copy`."""
    with called("flux_kvs_copy"):
        _copy(handle, args)


def move(handle: Flux, args: Namespace) -> None:
    """Runs `flux kvs move`."""
    with called("flux_kvs_move"):
        _copy(handle, args)
        with KVSTxn(handle, namespace=args.src_namespace or args.namespace) as txn:
            txn.unlink(args.source)


def _copy(handle: Flux, args: Namespace) -> None:
    # A reference is copied, not what it refers to: that is the same blob.
    found = lookup(handle, args.source, FLUX_KVS_TREEOBJ, args.src_namespace or args.namespace)
    with KVSTxn(handle, namespace=args.dst_namespace or args.namespace) as txn:
        txn.stage(args.destination, found)


# -- the root ----------------------------------------------------------------------------------------------------------


def _getroot_options(made: Parser) -> None:
    show = made.add_mutually_exclusive_group()
    show.add_argument("-o", "--owner", action="store_true", help="the owner's user id")
    show.add_argument("-b", "--blobref", action="store_true", help="the root as a blobref")
    show.add_argument("-s", "--sequence", action="store_true", help="the root's sequence number")


def getroot(handle: Flux, args: Namespace) -> None:
    """Runs `flux kvs getroot`."""
    asked = next((name for name in ("owner", "sequence", "blobref") if getattr(args, name)), "treeobj")
    with called(f"flux_kvs_getroot_get_{asked}"):
        root = _root(handle, args)
    if asked == "treeobj":
        print(treeobj.encode(treeobj.dirref(root["rootref"])).decode())
    else:
        print(root[{"owner": "owner", "sequence": "rootseq", "blobref": "rootref"}[asked]])


def version(handle: Flux, args: Namespace) -> None:
    """Runs `flux kvs version`."""
    with called("flux_kvs_get_version"):
        print(_root(handle, args)["rootseq"])


def _root(handle: Flux, args: Namespace) -> dict[str, Any]:
    payload = {"namespace": namespace_or_default(args.namespace), "flags": 0}
    root: dict[str, Any] = handle.rpc("kvs.getroot", payload).get()
    return root


def _wait_options(made: Parser) -> None:
    made.add_argument("version", type=count, metavar="VERSION")


def wait(handle: Flux, args: Namespace) -> None:
    """Runs `flux kvs wait`."""
    with called("flux_kvs_wait_version"):
        handle.rpc(
            "kvs.wait-version", {"rootseq": args.version, "namespace": namespace_or_default(args.namespace)}
        ).get()


def sync(handle: Flux, args: Namespace) -> None:
    """Runs `flux kvs sync`."""
    with called("flux_kvs_commit"):
        KVSTxn(handle, namespace=args.namespace).commit_async(FLUX_KVS_SYNC).get()


# -- listings ----------------------------------------------------------------------------------------------------------


def _dir_options(made: Parser) -> None:
    made.add_argument("-R", "--recursive", action="store_true", help="and what is in directories below")
    made.add_argument("-d", "--directory", action="store_true", help="keys without values")
    made.add_argument("-w", "--width", type=count, metavar="COLS", help="cut lines at COLS, 0 for never")
    _at_option(made)
    made.add_argument("key", nargs="?", default=".", metavar="KEY")


def show_dir(handle: Flux, args: Namespace) -> None:
    """Runs `flux kvs dir`."""
    from flux.commands.kvsview import Tree

    Tree(handle, args, snapshot(args.at, args.key)).show(args.key)


def _ls_options(made: Parser) -> None:
    made.add_argument("-R", "--recursive", action="store_true", help="and directories below")
    made.add_argument("-d", "--directory", action="store_true", help="directories themselves, not what is in them")
    made.add_argument("-w", "--width", type=count, metavar="COLS", help="COLS columns, 0 for no limit")
    made.add_argument("-1", "--1", action="store_true", dest="single", help="one key per line")
    made.add_argument("-F", "--classify", action="store_true", help="mark directories with `.', links with `@'")
    made.add_argument("keys", nargs="*", default=["."], metavar="KEY")


def show_list(handle: Flux, args: Namespace) -> int:
    """Runs `flux kvs ls`."""
    from flux.commands.kvsview import List

    return List(handle, args).show(args.keys)


# -- what is in files of its own ---------------------------------------------------------------------------------------


def _options_in(file: str, name: str) -> Callable[[Parser], None]:
    """Options that are looked for when they are needed."""

    def fill(made: Parser) -> None:
        getattr(import_module(f"flux.commands.{file}"), name)(made)

    return fill


def _done_in(file: str, name: str) -> Callable[[Flux, Namespace], int | None]:
    """As `_options_in`, for what a command does."""

    def do(handle: Flux, args: Namespace) -> int | None:
        code: int | None = getattr(import_module(f"flux.commands.{file}"), name)(handle, args)
        return code

    return do


def _no_command(handle: Flux, args: Namespace) -> None:
    raise OSError(EINVAL, "a command is missing")


def _dropcache_options(made: Parser) -> None:
    made.add_argument("-a", "--all", action="store_true", help="on all ranks")


def dropcache(handle: Flux, args: Namespace) -> None:
    """Runs `flux kvs dropcache`."""
    if args.all:
        handle.event_send("kvs.dropcache")
    else:
        handle.rpc("kvs.dropcache").get()


# -- what they share ---------------------------------------------------------------------------------------------------


def _at_option(made: Parser) -> None:
    made.add_argument("-a", "--at", metavar="ROOT", help="below this one: what getroot shows")


def _no_options(made: Parser) -> None:
    pass


@contextmanager
def named(key: str) -> Iterator[None]:
    """Says what a service refuses in the words that scripts know, with the key before them."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, os.strerror(error.errno or EINVAL), key) from None


@contextmanager
def called(name: str) -> Iterator[None]:
    """Says what failed in the words that scripts know; of a limit also which one it is."""
    try:
        yield
    except OSError as error:
        reason = error.strerror if error.errno == ENOSPC else os.strerror(error.errno or EINVAL)
        raise OSError(error.errno, f"{name}: {reason}") from None


COMMANDS = {
    "get": Command(get, "Show the values of keys", "get a.b", _get_options),
    "put": Command(put, "Set keys to values", "put a.b=1 a.c=2", _put_options),
    "dir": Command(show_dir, "Show the keys in a directory with their values", "dir -R a", _dir_options),
    "ls": Command(show_list, "List directories", "ls -F", _ls_options),
    "unlink": Command(unlink, "Remove keys", "unlink -R a", _unlink_options),
    "link": Command(link, "Give a key another name", "link a.b name", _link_options),
    "readlink": Command(readlink, "Show what links refer to", "readlink name", _readlink_options),
    "mkdir": Command(mkdir, "Make empty directories", "mkdir a.b", _mkdir_options),
    "copy": Command(copy, "Copy a key", "copy a.b c", _copy_options),
    "move": Command(move, "Move a key", "move a.b c", _copy_options),
    "version": Command(version, "Show the version of the store, which each commit raises", "version", _no_options),
    "wait": Command(wait, "Wait until the store has reached a version", "wait 42", _wait_options),
    "getroot": Command(getroot, "Show the root of the store", "getroot --blobref", _getroot_options),
    "sync": Command(sync, "Wait until the store is on disk", "sync", _no_options),
    "namespace": Command(
        _no_command,
        "Make and remove namespaces, stores beside this one",
        "namespace list",
        _options_in("kvsnamespace", "fill"),
        False,
    ),
    "eventlog": Command(
        _no_command,
        "Append to eventlogs, show them, wait for events",
        "eventlog get log",
        _options_in("kvseventlog", "fill"),
        False,
    ),
    "dropcache": Command(dropcache, "Forget what can be had again", "dropcache --all", _dropcache_options, False),
    "type": Command(
        _done_in("kvsfirst", "kind"),
        "Show what kinds of JSON values there are",
        "type a.b",
        _options_in("kvsfirst", "keys_options"),
    ),
    "exists": Command(
        _done_in("kvsfirst", "exist"),
        "Fail if a key is not there",
        "exists a.b",
        _options_in("kvsfirst", "keys_options"),
    ),
    "watch": Command(
        _done_in("kvsfirst", "watch"),
        "Show a value, and what it becomes, without an end",
        "watch a.b",
        _options_in("kvsfirst", "watch_options"),
    ),
    "watch-dir": Command(
        _done_in("kvsfirst", "watch_dir"),
        "Show a directory whenever it has changed",
        "watch-dir -r 3 a",
        _options_in("kvsfirst", "watch_dir_options"),
    ),
    "copy-tokvs": Command(
        _done_in("kvsfirst", "to_kvs"),
        "Copy a file to a key",
        "copy-tokvs a.file FILE",
        _options_in("kvsfirst", "file_options"),
    ),
    "copy-fromkvs": Command(
        _done_in("kvsfirst", "from_kvs"),
        "Copy to a file what copy-tokvs has copied",
        "copy-fromkvs a.file FILE",
        _options_in("kvsfirst", "file_options"),
    ),
}
