"""Commits: the recorded roots come out bit for bit, and a transaction happens whole or not at all."""

import errno
import json
from pathlib import Path
from typing import Any

import pytest

from flux.base import treeobj
from flux.base.blobref import BlobHash
from flux.modules.kvs.commit import Draft, Made
from flux.modules.kvs.dirs import Dirs
from flux.modules.kvs.transaction import APPEND, Op, read

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "kvs-roots.json").read_text())
HASH = BlobHash("sha1")
EMPTY = treeobj.encode(treeobj.directory())


class Store:
    """A root, and every blob that ever was."""

    def __init__(self) -> None:
        self.root = HASH.blobref(EMPTY)
        self.blobs = {self.root: EMPTY}
        self.dirs = Dirs(1 << 20)

    def draft(self) -> Draft:
        return Draft(self.root, self.dirs.find, HASH, "primary")

    def fetch(self, draft: Draft, ops: list[Op]) -> None:
        while missing := draft.apply(ops):
            for ref in missing:
                assert self.dirs.read(ref, self.blobs[ref]) is not None

    def commit(self, *ops: Op) -> Made:
        draft = self.draft()
        self.fetch(draft, list(ops))
        return self.move(draft)

    def move(self, draft: Draft) -> Made:
        made = draft.finish()
        self.root = made.ref
        self.blobs.update(made.blobs)
        for ref, entries in made.dirs.items():
            self.dirs.put(ref, entries, len(made.blobs[ref]))
        return made

    def tree(self, ref: str = "") -> dict[str, Any]:
        """The whole tree: directories as dicts, values as bytes, links as they are."""
        entries = json.loads(self.blobs[ref or self.root])["data"]
        return {name: self.leaf(entry) for name, entry in entries.items()}

    def leaf(self, entry: dict[str, Any]) -> Any:
        match entry["type"]:
            case "dirref":
                return self.tree(entry["data"][0])
            case "valref":
                return b"".join(self.blobs[ref] for ref in entry["data"])
            case "val":
                return treeobj.value_of(entry)
        return entry["data"]


def put(key: str, value: bytes) -> Op:
    return Op(key, 0, treeobj.val(value))


def append(key: str, value: bytes) -> Op:
    return Op(key, APPEND, treeobj.val(value))


def unlink(key: str) -> Op:
    return Op(key, 0, None)


def mkdir(key: str) -> Op:
    return Op(key, 0, treeobj.directory())


def link(key: str, target: str, namespace: str | None = None) -> Op:
    return Op(key, 0, treeobj.symlink(target, namespace))


def recorded(command: list[str]) -> list[Op]:
    """The operations that a recorded `flux kvs` command commits."""
    match command:
        case ["put", "--append", *pairs]:
            return [append(key, value.encode()) for key, _, value in (pair.partition("=") for pair in pairs)]
        case ["put", *pairs]:
            return [put(key, value.encode()) for key, _, value in (pair.partition("=") for pair in pairs)]
        case ["mkdir", key]:
            return [mkdir(key)]
        case ["unlink", key]:
            return [unlink(key)]
        case ["link", target, key]:
            return [link(key, target)]
    raise AssertionError(command)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: json.dumps(v["ops"])[:40])
@pytest.mark.parametrize("forgetful", [False, True])
def test_recorded_roots_come_out_bit_for_bit(vector: dict[str, Any], forgetful: bool) -> None:
    store = Store()
    for command in vector["ops"]:
        if forgetful:
            store.dirs.clear()
        store.commit(*recorded(command))
    assert store.root == vector["root"]
    assert treeobj.encode(treeobj.dirref(store.root)).decode() == vector["root_treeobj"]


def test_many_transactions_in_one_draft_are_one_root() -> None:
    one, two = Store(), Store()
    one.commit(put("a.b", b"1"))
    one.commit(put("a.c", b"2"))
    draft = two.draft()
    two.fetch(draft, [put("a.b", b"1")])
    two.fetch(draft, [put("a.c", b"2")])
    two.move(draft)
    assert one.root == two.root


def test_only_changed_directories_are_made_anew() -> None:
    store = Store()
    store.commit(put("a.x", b"1"), put("b.y.z", b"2"))
    before = store.root
    made = store.commit(put("a.x", b"3"))
    assert len(made.blobs) == 2
    assert before in made.replaced and len(made.replaced) == 2


def test_unlinking_what_is_not_there_changes_nothing() -> None:
    store = Store()
    store.commit(put("a.b", b"1"))
    before = store.root
    made = store.commit(unlink("a.c"), unlink("x.y.z"), unlink("a.b.c"))
    assert (made.ref, made.blobs) == (before, {})


def test_a_transaction_that_lacks_directories_names_them_all_and_changes_nothing() -> None:
    store = Store()
    store.commit(put("a.x", b"1"), put("b.y", b"1"))
    store.dirs.clear()
    store.dirs.read(store.root, store.blobs[store.root])
    draft = store.draft()
    assert len(draft.apply([put("c", b"1"), append("a.x", b"2"), put("b.y", b"2")])) == 2
    assert store.move(draft).blobs == {}


@pytest.mark.parametrize(
    ("op", "errnum"),
    [
        (append("d", b"x"), errno.EISDIR),
        (append("stored", b"x"), errno.EISDIR),
        (append("l", b"x"), errno.EOPNOTSUPP),
        (put(".", b"x"), errno.EINVAL),
        (put("..", b"x"), errno.EINVAL),
        (put("", b"x"), errno.EINVAL),
        (put("a\0b", b"x"), errno.EINVAL),
        (Op("a", 1, treeobj.val(b"x")), errno.EINVAL),
        (Op("a", APPEND, treeobj.directory()), errno.EPROTO),
        (Op("a", 0, {"ver": 1, "type": "val"}), errno.EINVAL),
        (Op("a", 0, "text"), errno.EINVAL),
        (Op("a", 0, {"ver": 1, "type": "val", "data": "!" * 100}), errno.EINVAL),
        (put("elsewhere.a", b"x"), errno.EINVAL),
        (put("loop.a", b"x"), errno.ELOOP),
    ],
    ids=lambda v: str(v)[:40],
)
def test_a_refused_transaction_leaves_no_trace(op: Op, errnum: int) -> None:
    store = Store()
    store.commit(put("stored.a", b"1"), link("l", "stored"), link("elsewhere", "a", "other"), link("loop", "loop"))
    draft = store.draft()
    store.fetch(draft, [mkdir("d"), put("kept", b"1")])
    with pytest.raises(OSError, match=r".") as caught:
        store.fetch(draft, [put("gone", b"1" * 99), unlink("stored.a"), put("d.x", b"1"), append("kept", b"2"), op])
    assert caught.value.errno == errnum
    store.move(draft)
    tree = store.tree()
    assert (tree["kept"], tree["d"], tree["stored"]) == (b"1", {}, {"a": b"1"})
    assert "gone" not in tree


def test_symlinks_on_the_way_are_followed_and_at_the_end_replaced() -> None:
    store = Store()
    store.commit(link("l", "a.b"), link("m", "l"), link("dot", "."))
    store.commit(put("m.x", b"1"), put("dot.y", b"2"))
    assert store.tree()["a"] == {"b": {"x": b"1"}}
    assert store.tree()["y"] == b"2"
    store.commit(put("m", b"3"))
    assert store.tree()["m"] == b"3"


def test_a_link_into_this_very_namespace_may_be_written_through() -> None:
    store = Store()
    store.commit(link("l", "a", "primary"), put("l.x", b"1"))
    assert store.tree()["a"] == {"x": b"1"}


def test_a_directory_put_as_one_object_becomes_blobs() -> None:
    store = Store()
    inner = treeobj.directory({"small": treeobj.val(b"1"), "large": treeobj.val(b"2" * 100)})
    store.commit(Op("d", 0, treeobj.directory({"inner": inner})), put("d.more", b"3"))
    assert store.tree()["d"] == {"inner": {"small": b"1", "large": b"2" * 100}, "more": b"3"}
    other = Store()
    other.commit(put("d.inner.small", b"1"), put("d.inner.large", b"2" * 100), put("d.more", b"3"))
    assert store.root == other.root


def test_values_leave_the_directory_at_73_characters_of_base64() -> None:
    store = Store()
    store.commit(put("a", b"x" * 54), put("b", b"x" * 55))
    entries = json.loads(store.blobs[store.root])["data"]
    assert (entries["a"]["type"], entries["b"]["type"]) == ("val", "valref")


def test_keys_as_deep_as_anybody_likes_do_not_exhaust_the_stack() -> None:
    store = Store()
    key = ".".join(["d"] * 5000)
    made = store.commit(put(key, b"1"))
    assert len(made.dirs) == 5000
    store.commit(unlink(key))


def test_a_payload_is_read_from_bytes_and_from_objects_alike() -> None:
    value = {"ops": [{"key": "a", "flags": 0, "dirent": None}], "namespace": "primary", "flags": 1}
    assert read(json.dumps(value).encode() + b"\0") == read(value)
    assert read(value).alone


@pytest.mark.parametrize(
    "data",
    [
        None,
        b"",
        b"{}",
        b"[" * 9999,
        {"ops": [{}], "namespace": "x", "flags": 0},
        {"ops": [{"key": "a", "flags": 0, "dirent": None, "more": 1}], "namespace": "x", "flags": 0},
    ],
)
def test_a_payload_of_another_shape_is_refused(data: Any) -> None:
    with pytest.raises(OSError, match="bad payload") as caught:
        read(data)
    assert caught.value.errno == errno.EPROTO
