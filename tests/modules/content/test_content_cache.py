"""The content cache and the memory store as plain objects."""

import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.modules.content.cache import Cache
from flux.modules.content_memory.blobs import Blobs

steps = st.lists(st.tuples(st.sampled_from(["put", "soil", "clean", "forget", "find", "drop"]), st.binary(max_size=3)))


def test_clean_blobs_leave_in_the_order_they_were_last_used() -> None:
    cache = Cache(limit=3, cost=0)
    for name in (b"a", b"b", b"c"):
        cache.put(name, b"1")
    cache.find(b"a")
    cache.put(b"d", b"1")
    assert [cache.find(name) for name in (b"a", b"b", b"c", b"d")] == [b"1", None, b"1", b"1"]


def test_dirty_blobs_stay_whatever_they_weigh() -> None:
    cache = Cache(limit=3, cost=0)
    cache.soil(b"a", b"1" * 100)
    cache.put(b"b", b"1")
    assert cache.find(b"a") and cache.find(b"b")
    cache.clean(b"a")
    assert cache.find(b"a") is None and cache.clean_size == 0


def test_a_blob_costs_more_than_its_bytes() -> None:
    cache = Cache(limit=250, cost=100)
    for name in (b"a", b"b", b"c"):
        cache.put(name, b"1")
    assert (len(cache), cache.clean_size) == (2, 202)


def test_clean_blobs_leave_when_nobody_has_asked_for_them_for_long() -> None:
    cache = Cache(limit=1000)
    cache.soil(b"dirty", b"1")
    cache.put(b"a", b"1")
    cache.put(b"b", b"1")
    cache.expire(10.0, age=15.0)
    cache.find(b"a")
    cache.expire(20.0, age=15.0)
    assert [cache.find(name) for name in (b"a", b"b", b"dirty")] == [b"1", None, b"1"]


def test_dropping_leaves_what_is_dirty() -> None:
    cache = Cache(limit=100, cost=0)
    cache.soil(b"a", b"1")
    cache.put(b"b", b"22")
    assert cache.drop() == 1
    assert (len(cache), cache.size, cache.dirty()) == (1, 1, {b"a": b"1"})


@given(steps)
def test_sizes_are_those_of_what_is_there(some: list[tuple[str, bytes]]) -> None:
    cache = Cache(limit=5, cost=0)
    held: set[bytes] = set()
    for do, name in some:
        match do:
            case "put" | "soil":
                getattr(cache, do)(name, name)
            case "drop":
                cache.drop()
            case _:
                getattr(cache, do)(name)
        held.add(name)
        here = [blob for blob in held if cache.find(blob) is not None]
        assert cache.size == sum(map(len, here))
        assert len(cache) == len(here)
        assert cache.clean_size <= 5
        assert cache.dirty_size == sum(map(len, cache.dirty().values()))
        assert cache.dirty_count == len(cache.dirty())


def test_the_memory_store_takes_all_of_a_commit_or_nothing() -> None:
    store = Blobs(limit=4)
    store.store({b"a": b"11"})
    with pytest.raises(OSError, match="content store is full: all of its 4 bytes of memory are taken") as caught:
        store.store({b"b": b"1", b"c": b"22"})
    assert caught.value.errno == errno.ENOSPC
    assert (len(store), store.size, b"b" in store) == (1, 2, False)
    store.store({b"a": b"11", b"b": b"22"})
    assert store.load(b"b") == b"22"
    with pytest.raises(FileNotFoundError):
        store.load(b"c")
