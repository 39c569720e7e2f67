"""Commits and lookups, in any order, against a tree of plain dicts that is copied for each transaction."""

import copy
import errno
from itertools import pairwise
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from flux.base import treeobj
from flux.base.blobref import BlobHash
from flux.base.pagedir import Index
from flux.modules.kvs.commit import Draft, Made
from flux.modules.kvs.dirs import Dirs, View
from flux.modules.kvs.lookup import READDIR, Lookup
from flux.modules.kvs.pages import LIMITS, Limits, Missing, parse
from flux.modules.kvs.transaction import APPEND, Op

HASH = BlobHash("sha256")
keys = st.lists(st.sampled_from("abcdefghijklmnop"), min_size=1, max_size=2).map(".".join)
values = st.sampled_from([b"", b"1", b"x" * 60])
steps = st.one_of(
    st.tuples(st.just("put"), keys, values),
    st.tuples(st.just("append"), keys, values),
    st.tuples(st.just("mkdir"), keys, st.none()),
    st.tuples(st.just("unlink"), keys, st.none()),
    st.tuples(st.just("link"), keys, keys),
)


def op(what: str, key: str, value: Any) -> Op:
    made = {"unlink": None, "mkdir": treeobj.directory()}
    if what == "link":
        return Op(key, 0, treeobj.symlink(value))
    return Op(key, APPEND if what == "append" else 0, made[what] if what in made else treeobj.val(value))


class Refused(Exception):
    """The model does not do that."""


class Link(str):
    """A symlink's target."""


class Model:
    """Directories are dicts, values bytes."""

    def __init__(self) -> None:
        self.root: dict[str, Any] = {}

    def do(self, what: str, key: str, value: Any) -> None:
        directory, name = self.parent(key, make=what != "unlink")
        if directory is None:
            return
        match what:
            case "put":
                directory[name] = value
            case "mkdir":
                directory[name] = {}
            case "link":
                directory[name] = Link(value)
            case "unlink":
                directory.pop(name, None)
            case "append":
                if not isinstance(directory.get(name, b""), bytes):
                    raise Refused
                directory[name] = directory.get(name, b"") + value

    def parent(self, key: str, make: bool, links: int = 0) -> tuple[Any, str]:
        names = key.split(".")
        here = self.root
        for at, name in enumerate(names[:-1], 1):
            if isinstance(here.get(name), Link):
                if links == 10:
                    raise Refused
                return self.parent(".".join([here[name], *names[at:]]), make, links + 1)
            if not isinstance(here.get(name), dict):
                if not make:
                    return None, ""
                here[name] = {}
            here = here[name]
        return here, names[-1]

    def find(self, key: str, depth: int = 0) -> Any:
        here: Any = self.root
        for name in key.split("."):
            if not isinstance(here, dict) or name not in here:
                return None
            here = here[name]
            if isinstance(here, Link):
                if depth == 10:
                    raise Refused
                here = self.find(here, depth + 1)
        return here


class Store(RuleBasedStateMachine):
    """The same steps on both."""

    limits = LIMITS

    def __init__(self) -> None:
        super().__init__()
        empty = treeobj.encode(treeobj.directory())
        self.root = HASH.blobref(empty)
        self.blobs = {self.root: empty}
        self.dirs = Dirs(300)
        self.model = Model()
        self.draft: Draft | None = None

    @rule(transaction=st.lists(steps, max_size=4))
    def apply(self, transaction: list[tuple[str, str, Any]]) -> None:
        if self.draft is None:
            self.view = View(self.dirs)
            self.draft = Draft(self.root, self.view.find, HASH, "primary", self.limits)
        expected = copy.deepcopy(self.model)
        try:
            for step in transaction:
                expected.do(*step)
        except Refused:
            expected = self.model
        try:
            self.fetched(self.draft, [op(*step) for step in transaction])
        except OSError:
            assert expected is self.model
        self.model = expected

    def fetched(self, draft: Draft, ops: list[Op]) -> None:
        while missing := draft.apply(ops):
            for ref in missing:
                assert self.view.read(ref, self.blobs[ref])

    @precondition(lambda self: self.draft is not None)
    @rule()
    def commit(self) -> None:
        assert self.draft is not None
        made = self.finished(self.draft)
        self.root, self.draft = made.ref, None
        self.blobs |= made.blobs
        for ref, entries in made.dirs.items():
            self.dirs.put(ref, entries, len(made.blobs[ref]))
        for ref in made.replaced:
            self.dirs.retire(ref)

    def finished(self, draft: Draft) -> Made:
        while True:
            try:
                return draft.finish()
            except Missing as missing:
                for ref in missing.refs:
                    assert self.view.read(ref, self.blobs[ref])

    @rule()
    def forget(self) -> None:
        self.dirs.clear()

    @precondition(lambda self: self.draft is None)
    @rule(key=keys)
    def look(self, key: str) -> None:
        try:
            expected = self.model.find(key)
        except Refused:
            assert self.answer(key, 0) == errno.ELOOP
            return
        if expected is None:
            assert self.answer(key, 0) == errno.ENOENT
        elif isinstance(expected, dict):
            assert self.answer(key, 0) == errno.EISDIR
            assert set(self.answer(key, READDIR)["data"]) == set(expected)
        else:
            assert treeobj.value_of(self.answer(key, 0)) == expected

    def answer(self, key: str, flags: int) -> Any:
        lookup = Lookup(key, flags, self.dirs, lambda namespace: self.root).below(self.root, 1)
        while True:
            try:
                return lookup.answer()
            except Missing as missing:
                for ref in missing.refs:
                    lookup.take(ref, self.blobs[ref])
            except OSError as error:
                return error.errno

    @precondition(lambda self: self.draft is None)
    @invariant()
    def whole_tree_is_the_models(self) -> None:
        assert self.read(self.root) == self.model.root

    def read(self, ref: str) -> dict[str, Any]:
        assert HASH.blobref(self.blobs[ref]) == ref
        found: dict[str, Any] = {}
        page = parse(self.blobs[ref])
        assert page is not None
        if isinstance(page, Index):
            self.check(page)
            for row in page.rows:
                found |= self.read(row.ref)
            assert len(found) == page.count
            return found
        for name, text in page.items():
            entry = treeobj.unseal(text)
            match entry["type"]:
                case "dirref":
                    found[name] = self.read(entry["data"][0])
                case "valref":
                    found[name] = b"".join(self.blobs[blob] for blob in entry["data"])
                case "val":
                    found[name] = treeobj.value_of(entry)
                case _:
                    found[name] = Link(entry["data"]["target"])
        return found

    def check(self, index: Index) -> None:
        """Names are in order from page to page, and no page is too large."""
        assert len(index.rows) <= self.limits.rows
        pages = [list(self.read(row.ref)) for row in index.rows]
        assert all(max(page) < min(after) for page, after in pairwise(pages))
        assert all(row.first <= min(page) for row, page in zip(index.rows[1:], pages[1:], strict=True))


class PagedStore(Store):
    """Directories of more than four entries are paged, in pages of three: every shape is come by."""

    limits = Limits(4, 3, 3)


TestPagedStore = PagedStore.TestCase
TestPagedStore.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestStore = Store.TestCase
TestStore.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
