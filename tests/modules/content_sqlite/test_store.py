"""The tables, and what is refused; garbage collection against a model."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from errno import EINVAL, EIO
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flux.base import treeobj
from flux.base.blobref import BlobHash, digest
from flux.base.liveroots import KEPT
from flux.modules.content_sqlite import schema
from flux.modules.content_sqlite.collection import Collection
from flux.modules.content_sqlite.gc import Collector
from flux.modules.content_sqlite.manual import Manual, Sweep
from flux.modules.content_sqlite.marks import Marks
from flux.modules.content_sqlite.store import LONG, Store, pack, unpack

HASH = BlobHash("sha1")


def connect(path: Any = ":memory:") -> Any:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("PRAGMA synchronous = OFF")
    return connection


@pytest.fixture
def connection() -> Iterator[Any]:
    with closing(connect()) as made:
        yield made


def opened(connection: Any, hash: BlobHash = HASH) -> Store:
    store = Store(hash)
    store.open(connection)
    return store


def add(store: Store, connection: Any, blob: bytes, loose: bool = False) -> str:
    store.add(connection, HASH.digest(blob), blob, loose)
    return HASH.blobref(blob)


def root(ref: str, sequence: int = 1, namespace: str = "primary") -> dict[str, Any]:
    return {"version": 1, "rootref": ref, "sequence": sequence, "timestamp": 1.5, "namespace": namespace}


def tree(store: Store, connection: Any, entries: dict[str, Any]) -> str:
    """Adds a directory of values (bytes) and directories (dicts) and all that is below it."""
    made = {}
    for name, value in entries.items():
        if isinstance(value, dict):
            made[name] = treeobj.dirref(tree(store, connection, value))
        else:
            made[name] = treeobj.valref([add(store, connection, value)])
    return add(store, connection, treeobj.encode(treeobj.directory(made)))


def commit(store: Store, connection: Any, entries: dict[str, Any], sequence: int = 1) -> str:
    ref = tree(store, connection, entries)
    store.move(connection, root(ref, sequence))
    return ref


def collect(store: Store, connection: Any, **how: Any) -> list[dict[str, Any]]:
    return list(Collection(store, store.last_id, **how).slices(connection, lambda: True))


def refs(connection: Any) -> set[str]:
    return {HASH.name_digest(key) for (key,) in connection.execute("SELECT hash FROM objects")}


# -- blobs and roots ------------------------------------------------------------------------------------------------


@given(st.binary() | st.integers(0, LONG + 2).map(bytes))
def test_what_is_packed_is_what_it_was(blob: bytes) -> None:
    packed = pack(blob)
    assert unpack(packed, len(blob)) == blob
    assert len(packed) <= len(blob)


def test_what_does_not_get_smaller_is_kept_as_it_is() -> None:
    noise = Random(1).randbytes(1000)
    assert pack(noise) is noise
    assert len(pack(b"a" * 1000)) < 50


def test_blobs_are_loaded_as_they_were_stored(connection: Any) -> None:
    store = opened(connection)
    for blob in (b"", b"x", b"a" * 5000, Random(1).randbytes(5000)):
        key = digest(add(store, connection, blob))
        store.check(connection, key)
        assert store.load(connection, key) == blob
    with pytest.raises(FileNotFoundError):
        store.load(connection, bytes(20))


def test_a_damaged_blob_is_noticed(connection: Any) -> None:
    store = opened(connection)
    keys = [digest(add(store, connection, blob)) for blob in (b"a" * 5000, b"short")]
    connection.execute("UPDATE objects SET object = zeroblob(length(object))")
    for key in keys:
        with pytest.raises(OSError, match="is damaged") as caught:
            store.check(connection, key)
        assert caught.value.errno == EIO


def test_roots_and_the_last_checkpoints_are_there_again(tmp_path: Path) -> None:
    path = tmp_path / "content.sqlite"
    with closing(connect(path)) as connection:
        store = opened(connection)
        ref = add(store, connection, treeobj.encode(treeobj.directory()))
        for number in range(KEPT + 2):
            store.remember(connection, root(ref, number))
        store.move(connection, root(ref, 9))
        store.move(connection, root(ref, 4, "mine"))
        store.move(connection, root(ref, 3, "theirs"))
        store.remove(connection, "theirs")
    with closing(connect(path)) as connection:
        roots = opened(connection).roots
    assert [(one["namespace"], one["sequence"]) for one in roots.roots()] == [("primary", 9), ("mine", 4)]
    assert [one["sequence"] for one in roots.checkpoints] == [6, 5, 4, 3, 2]


# -- what is refused ------------------------------------------------------------------------------------------------


def refused(connection: Any, hash: BlobHash = HASH) -> tuple[int | None, str]:
    before = list(connection.iterdump())
    with pytest.raises(OSError, match=r".") as caught:
        opened(connection, hash)
    assert list(connection.iterdump()) == before, "what was found is left as it was"
    return caught.value.errno, caught.value.strerror or ""


def test_other_peoples_databases_are_refused(connection: Any) -> None:
    connection.execute("CREATE TABLE objects(hash BLOB PRIMARY KEY, size INT, object BLOB)")
    assert refused(connection) == (EINVAL, "was not made by this program")


def test_a_later_format_is_refused(connection: Any) -> None:
    opened(connection)
    connection.execute(f"PRAGMA user_version = {schema.FORMAT + 1}")
    assert refused(connection) == (EINVAL, "is of format 2, this program knows 1")


def test_another_hash_is_refused(connection: Any) -> None:
    opened(connection)
    assert refused(connection, BlobHash("sha256")) == (EINVAL, "has sha1 blobs, content.hash is sha256")


@pytest.mark.parametrize("how", ["DELETE FROM objects", "UPDATE objects SET object = x'00', size = 1"])
def test_a_live_root_that_is_missing_or_another_blob_is_refused(connection: Any, how: str) -> None:
    store = opened(connection)
    commit(store, connection, {"a": b"1"})
    connection.execute(how)
    errnum, text = refused(connection)
    assert errnum == EIO and text.startswith("is damaged: root of namespace primary: ")


# -- garbage --------------------------------------------------------------------------------------------------------


def test_what_no_root_leads_to_is_swept(connection: Any) -> None:
    store = opened(connection)
    old = commit(store, connection, {"a": b"old", "d": {"b": b"kept"}})
    new = commit(store, connection, {"a": b"new", "d": {"b": b"kept"}}, 2)
    before = refs(connection)
    last = collect(store, connection)[-1]
    assert before - refs(connection) == {old, HASH.blobref(b"old")}
    assert new in refs(connection)
    assert (last["phase"], last["marked"], last["swept"]) == ("done", 4, 2)
    assert collect(store, connection)[-1]["swept"] == 0


def test_checkpoints_and_other_namespaces_are_alive(connection: Any) -> None:
    store = opened(connection)
    refs_of = [tree(store, connection, {name: name.encode()}) for name in "abc"]
    store.remember(connection, root(refs_of[0]))
    store.move(connection, root(refs_of[1], 1, "mine"))
    store.move(connection, root(refs_of[2], 2))
    collect(store, connection)
    assert len(refs(connection)) == 6
    store.remove(connection, "mine")
    collect(store, connection)
    assert len(refs(connection)) == 4


def test_pages_of_a_large_directory_are_alive(connection: Any) -> None:
    store = opened(connection)
    page = tree(store, connection, {"a": b"value"})
    index = {"ver": 1, "type": "pagedir", "data": {"count": 1, "pages": [["a", page, 1]]}}
    store.move(connection, root(add(store, connection, treeobj.encode(index))))
    assert collect(store, connection)[-1]["swept"] == 0
    assert len(refs(connection)) == 3


def test_what_was_stored_lately_may_yet_be_committed(connection: Any) -> None:
    store = opened(connection)
    commit(store, connection, {})
    waiting = add(store, connection, b"waiting", loose=True)
    for _ in range(2):
        collect(store, connection)
        assert waiting in refs(connection)
        store.age()
    collect(store, connection)
    assert waiting not in refs(connection)


def test_what_a_store_begins_with_stays_however_old_it_is(connection: Any) -> None:
    store = opened(connection)
    empty = add(store, connection, treeobj.encode(treeobj.directory()))
    collect(store, connection)
    assert refs(connection) == {empty}


def test_garbage_that_is_stored_again_is_young(connection: Any) -> None:
    store = opened(connection)
    commit(store, connection, {"a": b"old"})
    commit(store, connection, {"a": b"new"}, 2)
    again = add(store, connection, b"old", loose=True)
    collect(store, connection)
    assert again in refs(connection)


def test_a_damaged_directory_ends_it_before_anything_is_removed(connection: Any) -> None:
    store = opened(connection)
    commit(store, connection, {"a": b"old"})
    commit(store, connection, {"d": {"b": b"1"}}, 2)
    below = HASH.digest(treeobj.encode(treeobj.directory({"b": treeobj.valref([HASH.blobref(b"1")])})))
    connection.execute("DELETE FROM objects WHERE hash = ?", (below,))
    before = refs(connection)
    with pytest.raises(OSError, match=f"directory sha1-{below.hex()} is missing or damaged"):
        collect(store, connection)
    assert refs(connection) == before


def test_the_file_shrinks(tmp_path: Path) -> None:
    path = tmp_path / "content.sqlite"
    with closing(connect(path)) as connection:
        store = opened(connection)
        for number in range(200):
            commit(store, connection, {"a": Random(number).randbytes(50_000)}, number)
        assert path.stat().st_size > 10_000_000
        assert collect(store, connection)[-1]["size"] == path.stat().st_size < 1_200_000


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_commits_between_slices_lose_nothing(data: st.DataObject) -> None:
    with closing(connect()) as connection:
        store = opened(connection)
        names, values = st.sampled_from("abc"), st.sampled_from([b"1", b"2", b"3"])
        state: dict[str, dict[str, bytes]] = {}
        sequence = 0

        def change() -> str:
            nonlocal sequence
            sequence += 1
            state.setdefault(data.draw(names), {})[data.draw(names)] = data.draw(values)
            return commit(store, connection, dict(state), sequence)

        current = change()
        for _ in range(data.draw(st.integers(0, 5))):
            current = change()
        steps = Collection(store, store.last_id).slices(connection, lambda: True)
        for _ in steps:
            if data.draw(st.booleans()):
                current = change()
        found: dict[str, Any] = {}
        for name, entry in treeobj.decode(store.load(connection, digest(current)))["data"].items():
            below = treeobj.decode(store.load(connection, digest(entry["data"][0])))["data"]
            found[name] = {key: store.load(connection, digest(one["data"][0])) for key, one in below.items()}
        assert found == state


def test_a_patient_collection_spares_what_somebody_may_be_reading(connection: Any) -> None:
    store = opened(connection)
    collector = Collector(store, enough=1, size=0)

    def age() -> None:
        store.age()
        collector.age(store.root_refs(connection))

    def run() -> set[str]:
        list(collector.begin(patient=True)(connection, lambda: True))
        collector.ended(0)
        return refs(connection)

    forgotten = commit(store, connection, {"a": b"0"})
    again = commit(store, connection, {"a": b"again"}, 1)
    before = commit(store, connection, {"a": b"1"}, 2)
    age()
    assert not collector.wrote(100), "there must have been time to see what is read"
    between = commit(store, connection, {"a": b"2"}, 3)
    age()
    commit(store, connection, {"a": b"again"}, 4)
    commit(store, connection, {"a": b"3"}, 5)
    assert collector.wrote(100)
    assert {before, between, again} <= run()
    assert forgotten not in refs(connection)
    age()
    assert between in run() and before not in refs(connection)
    age()
    run()
    assert again not in refs(connection) and len(refs(connection)) == 2


def test_after_a_collection_that_spared_nothing_a_patient_one_waits_for_its_time(connection: Any) -> None:
    store = opened(connection)
    collector = Collector(store, enough=1, size=0)
    for number in range(2):
        commit(store, connection, {"a": b"%d" % number}, number)
        collector.age(store.root_refs(connection))
    assert collector.wrote(100)
    commit(store, connection, {"a": b"3"}, 3)
    list(collector.begin(patient=False)(connection, lambda: True))
    collector.ended(0)
    assert len(refs(connection)) == 2
    assert not collector.wrote(100)
    for _ in range(2):
        collector.age(store.root_refs(connection))
    assert collector.wrote(100)
    list(collector.begin(patient=True)(connection, lambda: True))


def test_somebody_else_may_collect_by_todays_steps(connection: Any) -> None:
    store = opened(connection)
    old = commit(store, connection, {"a": b"old"})
    new = commit(store, connection, {"a": b"new"}, 2)
    manual = Manual(store)
    told = manual.begin(connection, True)
    assert (told["high_water"], told["candidates"]) == (store.last_id, 4)
    epoch = told["current_epoch"]
    assert manual.mark(connection, epoch, [new, HASH.digest(b"new").hex()]) == {"marked": 2}
    during = add(store, connection, b"during")
    cursor = deleted = 0
    while cursor < told["high_water"]:
        swept = manual.sweep(connection, Sweep(epoch, cursor, told["high_water"], 1, 2))
        cursor, deleted = swept["cursor"], deleted + swept["deleted"]
    assert deleted == 2
    assert refs(connection) == {new, HASH.blobref(b"new"), during} and old not in refs(connection)


def test_steps_of_a_collection_that_another_has_followed_are_refused(connection: Any) -> None:
    store = opened(connection)
    commit(store, connection, {"a": b"1"})
    manual = Manual(store)
    epoch = manual.begin(connection, False)["current_epoch"]
    collect(store, connection)
    with pytest.raises(OSError, match=f"no garbage collection of epoch {epoch}"):
        manual.sweep(connection, Sweep(epoch, 0, 10, 10, 10))
    with pytest.raises(OSError, match="not a digest"):
        manual.mark(connection, manual.begin(connection, False)["current_epoch"], ["xyz"])
    with pytest.raises(OSError, match="too small"):
        manual.sweep(connection, Sweep(epoch, -1, 10, 10, 10))


@given(st.lists(st.integers(0, 100_000)))
def test_marks_are_a_set(numbers: list[int]) -> None:
    marks, model = Marks(), set[int]()
    for number in numbers:
        assert marks.add(number) == (number not in model)
        model.add(number)
    assert marks.count == len(model)
    assert all(number in marks for number in model)
    assert not any(number in marks for number in range(200) if number not in model)
