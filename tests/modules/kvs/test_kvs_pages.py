"""Large directories in pages: against a dict, and what a change makes anew."""

from random import Random

import pytest

from flux.base import treeobj
from flux.base.blobref import BlobHash
from flux.base.pagedir import Index, Row, decode
from flux.base.treeobj import Treeobj
from flux.modules.kvs.pages import LIMITS, Limits, Missing, Page, Rewriting, entries, entry, parse

HASH = BlobHash("sha1")
SMALL = Limits(4, 3, 3)


class Shelf:
    """All pages that were ever made, and one directory."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self.limits = limits
        self.blobs: dict[str, bytes] = {}
        self.pages: dict[str, Page] = {}
        self.ref = ""

    def change(self, changes: dict[str, Treeobj | None]) -> Rewriting:
        rewriting = Rewriting(self.pages.get, HASH, self.limits)
        self.ref = rewriting.rewrite(self.ref, changes)
        for ref, (blob, page) in rewriting.pages.items():
            self.blobs[ref], self.pages[ref] = blob, page
        return rewriting

    def used(self, ref: str) -> set[str]:
        page = parse(self.blobs[ref])
        below = (self.used(row.ref) for row in page.rows) if isinstance(page, Index) else ()
        return {ref}.union(*below)


def value(number: int) -> Treeobj:
    return treeobj.val(str(number).encode())


@pytest.mark.parametrize("seed", range(30))
def test_a_paged_directory_is_a_dict(seed: int) -> None:
    random, shelf = Random(seed), Shelf(SMALL)
    model: dict[str, Treeobj] = {}
    names = [f"n{number}" for number in range(random.choice((8, 40, 200)))]
    for step in range(120):
        some = random.sample(names, min(len(names), random.choice((1, 1, 2, 12))))
        going = random.random() < (0.3 if step < 60 else 0.6)
        changes = {name: None if going else value(step) for name in some}
        before = shelf.used(shelf.ref) if shelf.ref else set()
        rewriting = shelf.change(changes)
        model = {name: obj for name, obj in {**model, **changes}.items() if obj is not None}
        assert entries(shelf.pages.get, shelf.ref) == model
        assert all(entry(shelf.pages.get, shelf.ref, name) == model.get(name) for name in names)
        now = shelf.used(shelf.ref)
        assert set(rewriting.pages) == now - before, "no page is made that is not used"
        assert before - now <= set(rewriting.replaced) <= before


def test_a_small_directory_is_one_dir_object_whatever_it_was_before() -> None:
    shelf, small = Shelf(SMALL), Shelf(SMALL)
    shelf.change({f"n{number}": value(number) for number in range(50)})
    shelf.change({f"n{number}": None for number in range(50) if number != 7})
    small.change({"n7": value(7)})
    assert shelf.ref == small.ref


def test_who_unlinks_what_is_not_there_changes_nothing() -> None:
    shelf = Shelf(SMALL)
    shelf.change({f"n{number}": value(number) for number in range(50)})
    before = shelf.ref
    rewriting = shelf.change({"x": None})
    assert (shelf.ref, rewriting.pages, rewriting.replaced) == (before, {}, [])


def test_one_change_among_100_000_makes_no_more_anew_than_a_few_pages() -> None:
    shelf = Shelf()
    shelf.change({f"key{number:06}": value(number) for number in range(100_000)})
    made = shelf.change({"key050000": value(0)}).pages
    assert len(made) == 3
    hundred = Shelf()
    hundred.change({f"key{number:06}": value(number) for number in range(100)})
    one = hundred.change({"key000050": value(0)}).pages
    assert sum(len(blob) for blob, _ in made.values()) < 2.5 * sum(len(blob) for blob, _ in one.values())


def test_all_that_is_missing_is_asked_for_at_once() -> None:
    shelf = Shelf(SMALL)
    shelf.change({f"n{number:02}": value(number) for number in range(9)})
    top = shelf.pages[shelf.ref]
    assert isinstance(top, Index)
    at_hand = {shelf.ref: top}
    with pytest.raises(Missing) as lack:
        Rewriting(at_hand.get, HASH, SMALL).rewrite(shelf.ref, {"n00": None, "n08": None})
    assert lack.value.refs == [top.rows[0].ref, top.rows[-1].ref]
    with pytest.raises(Missing) as lack:
        entries(at_hand.get, shelf.ref)
    assert lack.value.refs == [row.ref for row in top.rows]


def test_an_index_comes_back_as_it_went() -> None:
    index = Index([Row("a", "sha1-" + "0" * 40, 3), Row("\u00e9", "sha1-" + "1" * 40, 4)])
    again = decode(index.encode())
    assert (again.rows, again.count, again.at("b"), again.at("\u00ea"), again.at("A")) == (index.rows, 7, 0, 1, 0)
    assert list(treeobj.refs({"type": "pagedir", "data": {"pages": index.rows}})) == [
        (row.ref, True) for row in index.rows
    ]


@pytest.mark.parametrize(
    "blob",
    [
        b"",
        b"{}",
        b'{"data":{"count":1,"pages":[]},"type":"pagedir","ver":1}',
        b'{"data":{"count":1,"pages":[["a",1,1]]},"type":"pagedir","ver":1}',
        b'{"data":{"count":1,"pages":[["a","sha1-",1]]},"type":"pagedir","ver":2}',
        b'{"data":{"count":1,"pages":[["a","sha1-0",1]]},"type":"pagedir","ver":1}',
        b"\xff",
    ],
)
def test_what_is_no_directory_is_told_from_one(blob: bytes) -> None:
    assert parse(blob) is None
