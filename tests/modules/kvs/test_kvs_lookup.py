"""Lookups: what the flags ask for, the errors that clients tell by, and links."""

import errno
from typing import Any

import pytest

from flux.base import treeobj
from flux.base.blobref import BlobHash
from flux.base.kvskey import normal
from flux.base.treeobj import Sealed, Treeobj
from flux.modules.kvs.commit import Draft
from flux.modules.kvs.dirs import Dirs
from flux.modules.kvs.lookup import READDIR, READLINK, TREEOBJ, Lookup
from flux.modules.kvs.pages import Missing
from flux.modules.kvs.transaction import Op

HASH = BlobHash("sha1")
LARGE = b"x" * 100


def tree() -> tuple[str, Dirs, dict[str, bytes]]:
    """A small store: values, directories and links of all kinds."""
    dirs = Dirs(1 << 20)
    empty = treeobj.encode(treeobj.directory())
    dirs.read(HASH.blobref(empty), empty)
    draft = Draft(HASH.blobref(empty), dirs.find, HASH, "primary")
    objects = {
        "a.b": treeobj.val(b"1"), "big": treeobj.val(LARGE), "d.e": treeobj.directory(), "l": treeobj.symlink("a"),
        "ll": treeobj.symlink("l"), "v": treeobj.symlink("a.b"), "nowhere": treeobj.symlink("no.such"),
        "self": treeobj.symlink("self"), "top": treeobj.symlink("."), "far": treeobj.symlink("x", "other"),
        "near": treeobj.symlink("a.b", "primary"), "dots": treeobj.symlink("..a..b."),
    }  # fmt: skip
    for n in range(11):
        objects[f"chain{n}"] = treeobj.symlink(f"chain{n + 1}")
    objects["chain11"] = treeobj.val(b"end")
    assert not draft.apply([Op(key, 0, obj) for key, obj in objects.items()])
    made = draft.finish()
    for ref, entries in made.dirs.items():
        dirs.put(ref, entries, len(made.blobs[ref]))
    return made.ref, dirs, made.blobs


def look(key: str, flags: int = 0) -> Treeobj:
    root, dirs, blobs = tree()

    def rootrefs(namespace: str) -> str:
        if namespace != "primary":
            raise OSError(errno.ENOTSUP, namespace)
        return root

    lookup = Lookup(key, flags, dirs, rootrefs).below(root, 1)
    try:
        return lookup.answer()
    except Missing as missing:
        for ref in missing.refs:
            lookup.take(ref, blobs[ref])
        return lookup.answer()


@pytest.mark.parametrize("key", ["a.b", "l.b", "ll.b", "v", "top.a.b", "near", "dots", ".a..b."])
def test_a_value_is_found_by_all_its_names(key: str) -> None:
    assert look(key) == treeobj.val(b"1")


def test_a_large_value_comes_whole() -> None:
    assert look("big") == treeobj.val(LARGE)
    assert look("big", TREEOBJ)["type"] == "valref"


def test_directories_are_read_when_asked_for() -> None:
    assert look("a", READDIR) == look("l", READDIR) == treeobj.directory({"b": treeobj.val(b"1")})
    assert look("d.e", READDIR) == treeobj.directory()
    assert "chain3" in look(".", READDIR)["data"]
    assert look("top", READDIR) == look(".", READDIR)


def test_a_tree_object_comes_as_it_is() -> None:
    assert look("a", TREEOBJ)["type"] == "dirref"
    assert look(".", TREEOBJ)["type"] == "dirref"
    assert look("l", TREEOBJ) == treeobj.symlink("a")


def test_a_link_is_read_when_asked_for() -> None:
    assert look("l", READLINK) == treeobj.symlink("a")
    assert look("nowhere", READLINK) == treeobj.symlink("no.such")
    assert look("top.ll", READLINK) == treeobj.symlink("l")


@pytest.mark.parametrize(
    ("key", "flags", "errnum"),
    [
        ("no.such.key", 0, errno.ENOENT),
        ("a.b.c", 0, errno.ENOENT),
        ("nowhere", 0, errno.ENOENT),
        ("big.c", TREEOBJ, errno.ENOENT),
        ("a", 0, errno.EISDIR),
        ("l", 0, errno.EISDIR),
        (".", 0, errno.EISDIR),
        (".", READLINK, errno.EISDIR),
        ("a.b", READDIR, errno.ENOTDIR),
        ("big", READDIR, errno.ENOTDIR),
        ("l", READDIR | READLINK, errno.ENOTDIR),
        ("a", READLINK, errno.EINVAL),
        ("a.b", READLINK, errno.EINVAL),
        ("big", READLINK, errno.EINVAL),
        ("self", 0, errno.ELOOP),
        ("self.x", READLINK, errno.ELOOP),
        ("chain0", 0, errno.ELOOP),
        ("far", 0, errno.ENOTSUP),
        ("", 0, errno.EINVAL),
    ],
)
def test_each_refusal_has_its_own_errno(key: str, flags: int, errnum: int) -> None:
    with pytest.raises(OSError, match=r".") as caught:
        look(key, flags)
    assert caught.value.errno == errnum


def test_ten_links_within_links_are_followed() -> None:
    assert look("chain1") == treeobj.val(b"end")


def test_what_is_not_at_hand_is_asked_for() -> None:
    root, dirs, blobs = tree()
    dirs.clear()
    lookup = Lookup("a.b", 0, dirs, lambda namespace: root).below(root, 1)
    asked = []
    for _ in range(2):
        with pytest.raises(Missing) as caught:
            lookup.answer()
        asked += caught.value.refs
        lookup.take(caught.value.refs[0], blobs[caught.value.refs[0]])
    assert asked[0] == root
    assert lookup.answer() == treeobj.val(b"1")


@pytest.mark.parametrize(
    "broken",
    [
        {"ver": 1, "type": "dirref", "data": ["x", "y"]},
        {"ver": 1, "type": "symlink", "data": {"target": "b"}},
        {"ver": 2, "type": "dirref", "data": ["x"]},
        {"no": "object"},
    ],
)
def test_a_broken_tree_is_not_recoverable(broken: Any) -> None:
    dirs = Dirs(100)
    entries = {"a": broken, "b": {"ver": 1, "type": "dirref", "data": ["x", "y"]}}
    dirs.put("root", {name: Sealed(treeobj.encode(entry)) for name, entry in entries.items()}, 1)
    with pytest.raises(OSError, match=r".") as caught:
        Lookup("a.c", 0, dirs, str).below("root", 1).answer()
    assert caught.value.errno == errno.ENOTRECOVERABLE


def test_directories_leave_in_the_order_they_were_last_used() -> None:
    dirs = Dirs(30)
    for name in ("a", "b", "c"):
        dirs.put(name, {}, 10)
    dirs.find("a")
    dirs.put("d", {}, 10)
    assert ["a" in dirs, "b" in dirs, "c" in dirs, dirs.size] == [True, False, True, 30]
    dirs.retire("d")
    dirs.put("e", {}, 10)
    assert "d" not in dirs and dirs.sizes() == [10, 10, 10]


def test_a_blob_that_is_no_directory_is_not_kept() -> None:
    dirs = Dirs(30)
    for blob in (b"", b"\xff", b"{}", treeobj.encode(treeobj.val(b"1"))):
        assert dirs.read("a", blob) is None
    assert len(dirs) == 0


def test_keys_are_written_in_one_way() -> None:
    assert [normal(key) for key in ("a", ".a", "a.", "a..b", "...a...b...", ".", "...")] == [
        "a", "a", "a", "a.b", "a.b", ".", ".",
    ]  # fmt: skip


def test_a_blob_that_cannot_be_had_or_is_no_directory_is_the_answer() -> None:
    for take, errnum in ((b"", errno.EINVAL), (None, errno.EHOSTUNREACH)):
        lookup = Lookup("a", 0, Dirs(0), str).below("root", 1)
        with pytest.raises(Missing):
            lookup.answer()
        if take is None:
            lookup.lose("root", OSError(errno.EHOSTUNREACH, "far"))
        else:
            lookup.take("root", take)
        with pytest.raises(OSError, match=r".") as caught:
            lookup.answer()
        assert caught.value.errno == errnum
