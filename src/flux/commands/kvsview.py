"""How directories of the key-value store are shown: key by key with values, or in columns."""

import os
import sys
from argparse import Namespace
from errno import EISDIR, ENOENT

from flux.base import treeobj
from flux.base.treeobj import Treeobj
from flux.constants import FLUX_KVS_READDIR, FLUX_KVS_TREEOBJ
from flux.core.handle import Flux
from flux.kvs import lookup

DIRECTORIES = ("dir", "dirref")
GAP = 4
"""Spaces between columns, at least."""


def window_width(asked: int | None) -> int:
    """Columns that there are: as asked for, as the terminal or COLUMNS says, or 80. 0 is no limit."""
    if asked is not None:
        return asked
    try:
        return os.get_terminal_size(1).columns
    except OSError:
        columns = os.environ.get("COLUMNS", "")
        return int(columns) if columns.isascii() and columns.isdigit() else 80


def key_at(directory: str, name: str) -> str:
    """The full key of a name in a directory."""
    if directory == ".":
        return name
    return directory + name if directory.endswith(".") else f"{directory}.{name}"


class Tree:
    """`flux kvs dir`: a line for each key."""

    def __init__(self, handle: Flux, args: Namespace, root: Treeobj | None) -> None:
        self.handle, self.args, self.root = handle, args, root
        width = window_width(args.width)
        self.width = width if width > 3 else 0

    def show(self, key: str) -> None:
        """Shows a directory."""
        entries = self._lookup(key, FLUX_KVS_READDIR)["data"]
        for name in sorted(entries):
            self._show_entry(key_at(key, name), entries[name])

    def _lookup(self, key: str, flags: int = 0) -> Treeobj:
        return lookup(self.handle, key, flags, self.args.namespace, self.root)

    def _show_entry(self, key: str, entry: Treeobj) -> None:
        if entry["type"] == "symlink":
            namespace, target = treeobj.link_of(entry)
            print(f"{key} -> {target}" if namespace is None else f"{key} -> {namespace}::{target}")
        elif entry["type"] in DIRECTORIES:
            if self.args.recursive and self._lookup(key, FLUX_KVS_READDIR)["data"]:
                self.show(key)
            else:
                print(f"{key}.")
        elif self.args.directory:
            print(key)
        else:
            self._show_value(key, entry if entry["type"] == "val" else self._lookup(key))

    def _show_value(self, key: str, value: Treeobj) -> None:
        text = treeobj.value_of(value).partition(b"\0")[0].decode("utf-8", "surrogateescape")
        sys.stdout.flush()
        sys.stdout.buffer.write(self._cut(f"{key} = {text}").encode("utf-8", "surrogateescape") + b"\n")
        sys.stdout.buffer.flush()

    def _cut(self, line: str) -> str:
        """The line in as many columns as there are, without what follows a newline."""
        if not self.width:
            return line
        kept = line[: self.width - 3] if len(line) > self.width - 3 else line
        first, _, rest = kept.partition("\n")
        return first + "..." if rest or len(kept) < len(line) else first


class List:
    """`flux kvs ls`: keys in columns, then what is in directories."""

    def __init__(self, handle: Flux, args: Namespace) -> None:
        self.handle, self.args = handle, args
        self.width = 1 if args.single else window_width(args.width)
        self.singles: list[str] = []
        self.directories: list[str] = []
        self._gap = ""

    def show(self, keys: list[str]) -> int:
        """Lists keys. Returns the exit code: 1 if one of them was not there."""
        good = [self._sort_in(key) for key in keys]
        if self.singles:
            self._columns(sorted(self.singles))
            self._gap = "\n"
        label = bool(self.args.recursive or len(self.directories) > 1 or self.singles)
        for key in sorted(self.directories):
            self._show_directory(key, label)
            self._gap = "\n"
        return 0 if all(good) else 1

    def _sort_in(self, key: str) -> bool:
        """Puts a key to the directories that are listed, or to the others."""
        bare = key.rstrip(".") or "."
        try:
            found = lookup(self.handle, bare, FLUX_KVS_TREEOBJ, self.args.namespace)
        except OSError as error:
            return self._complain(bare, error.strerror or "")
        if found["type"] in DIRECTORIES:
            if self.args.directory:
                self.singles.append(bare + "." * self.args.classify)
            else:
                self.directories.append(bare)
            return True
        if bare != key:
            return self._complain(bare, "Not a directory")
        if found["type"] == "symlink":
            self._sort_link(key)
        else:
            self.singles.append(key)
        return True

    def _complain(self, key: str, reason: str) -> bool:
        print(f"{key}: {reason}", file=sys.stderr)
        return False

    def _sort_link(self, key: str) -> None:
        """A link to a directory is listed as one, unless links are to be shown as such."""
        errnum = 0
        if not self.args.classify and not self.args.directory:
            try:
                lookup(self.handle, key, 0, self.args.namespace)
            except OSError as error:
                errnum = error.errno or 0
                if errnum not in (ENOENT, EISDIR):
                    raise
        if errnum == EISDIR:
            self.directories.append(key)
        else:
            self.singles.append(key + "@" * self.args.classify)

    def _show_directory(self, key: str, label: bool) -> None:
        entries = lookup(self.handle, key, FLUX_KVS_READDIR, self.args.namespace)["data"]
        if label:
            print(f"{self._gap}{key}:")
        names = sorted(entries)
        self._columns([name + self._mark(entries[name]) for name in names], max(map(len, names), default=0))
        if self.args.recursive:
            self._gap = "\n"
            for name in names:
                if entries[name]["type"] in DIRECTORIES:
                    self._show_directory(key_at(key, name), label)

    def _mark(self, entry: Treeobj) -> str:
        if not self.args.classify:
            return ""
        return "." if entry["type"] in DIRECTORIES else "@" if entry["type"] == "symlink" else ""

    def _columns(self, names: list[str], longest: int = 0) -> None:
        """Prints names in columns as wide as the longest one."""
        column = (longest or max(map(len, names), default=0)) + GAP
        per_line = max(self.width // column, 1) if self.width else len(names)
        for at in range(0, len(names), per_line or 1):
            line = names[at : at + per_line]
            print("".join(name.ljust(column) for name in line[:-1]) + line[-1])
