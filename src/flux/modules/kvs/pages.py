"""Directories of any size, found and changed page by page. Pure: a page that is not at hand is asked for by Missing."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from errno import ENOTRECOVERABLE
from typing import Any, NamedTuple, TypeAlias

from flux.base import pagedir, treeobj
from flux.base.blobref import BlobHash
from flux.base.invalid import Invalid
from flux.base.pagedir import Index, Row
from flux.base.treeobj import Sealed, Treeobj

Entries: TypeAlias = Mapping[str, Treeobj]
"""What is in a directory."""
Leaf: TypeAlias = Mapping[str, Sealed]
"""What is in a small directory, or in one page of a large one. Shared by all who read it, so nobody changes it."""
Page: TypeAlias = Leaf | Index
Find: TypeAlias = Callable[[str], Page | None]
Changes: TypeAlias = Mapping[str, Treeobj | None]
"""New entries by name; None for those that go."""


class Limits(NamedTuple):
    """How large blobs of directories become."""

    flat: int = 256
    """Entries of a directory that is one blob."""
    page: int = 128
    """Entries of a page at most."""
    rows: int = 64
    """Pages that one index lists at most; three at least."""


LIMITS = Limits()


class Missing(Exception):
    """Blobs are needed that are not at hand: of a directory, or all the blobs of a value."""

    def __init__(self, refs: list[str]) -> None:
        super().__init__(refs)
        self.refs = refs


def parse(blob: bytes) -> Page | None:
    """The page, or whole directory, that a blob holds; None if it holds none."""
    for read in (treeobj.decode_entries, pagedir.decode):
        with suppress(ValueError):
            return read(blob)
    return None


def entry(find: Find, ref: str, name: str) -> Treeobj | None:
    """What a directory has under a name. Raises Missing."""
    page = at_hand(find, ref)
    while isinstance(page, Index):
        page = at_hand(find, page.rows[page.at(name)].ref)
    found = page.get(name)
    return None if found is None else _unsealed(name, found)


def entries(find: Find, ref: str) -> Entries:
    """All that is in a directory. Raises Missing."""
    page = at_hand(find, ref)
    leaf = _merged(_leaves(find, page)) if isinstance(page, Index) else page
    return {name: _unsealed(name, found) for name, found in leaf.items()}


def _unsealed(name: str, found: Sealed) -> Treeobj:
    try:
        return treeobj.unseal(found)
    except Invalid as error:
        raise OSError(ENOTRECOVERABLE, f"{name}: {error}") from None


def at_hand(find: Find, ref: str) -> Page:
    """A page. Raises Missing."""
    page = find(ref)
    if page is None:
        raise Missing([ref])
    return page


def _leaves(find: Find, index: Index) -> list[Leaf]:
    """The pages below an index. Missing names all that are missing, as far as is known."""
    leaves: list[Leaf] = []
    missing: list[str] = []
    for row in index.rows:
        page = find(row.ref)
        if page is None:
            missing.append(row.ref)
        elif isinstance(page, Index):
            try:
                leaves += _leaves(find, page)
            except Missing as lack:
                missing += lack.refs
        else:
            leaves.append(page)
    if missing:
        raise Missing(missing)
    return leaves


class Rewriting:
    """Makes a changed directory out of an old one."""

    def __init__(self, find: Find, hashed: BlobHash, limits: Limits = LIMITS) -> None:
        self._find, self._hash, self._limits = find, hashed, limits
        self._old: list[str] = []
        self._new: dict[str, tuple[bytes, Page]] = {}

    def rewrite(self, ref: str, changes: Changes) -> str:
        """The directory `ref`, or "" for an empty one, with changes. Returns its new ref. Raises Missing."""
        page = self._at_hand(ref) if ref else {}
        self._old.append(ref)
        if not isinstance(page, Index):
            return self._whole(_applied(page, changes))
        rows = self._change(page, changes)
        if sum(row.size for row in rows) <= self._limits.flat // 2:
            return self._whole(self._gathered(rows))
        return self._top(rows)

    @property
    def pages(self) -> dict[str, tuple[bytes, Page]]:
        """The pages that were not there before, by ref."""
        return {ref: made for ref, made in self._new.items() if ref not in self._old}

    @property
    def replaced(self) -> list[str]:
        """The pages that are used no more."""
        return [ref for ref in self._old if ref and ref not in self._new]

    # -- inside -----------------------------------------------------------------------------------------------------

    def _whole(self, changed: Leaf) -> str:
        """A directory of these entries: one blob if it is small, else pages."""
        return self._keep(changed) if len(changed) <= self._limits.flat else self._top(self._paged(changed))

    def _top(self, rows: list[Row]) -> str:
        while len(rows) > 1:
            rows = self._indexed(rows)
        return rows[0].ref

    def _change(self, index: Index, changes: Changes) -> list[Row]:
        """The rows that take the place of those of an index; there may be more, or fewer."""
        by_page: dict[int, dict[str, Treeobj | None]] = {}
        for name, obj in changes.items():
            by_page.setdefault(index.at(name), {})[name] = obj
        self._check([index.rows[at].ref for at in by_page])
        rows, small = list(index.rows), False
        for at in sorted(by_page, reverse=True):
            changed = self._changed(rows[at].ref, by_page[at])
            small = small or not changed or min(row.size for row in changed) <= self._limits.page // 2
            rows[at : at + 1] = changed
        return self._joined(rows) if small else rows

    def _changed(self, ref: str, changes: Changes) -> list[Row]:
        page = self._at_hand(ref)
        self._old.append(ref)
        if isinstance(page, Index):
            return self._indexed(self._change(page, changes))
        return self._paged(_applied(page, changes))

    def _joined(self, rows: list[Row]) -> list[Row]:
        """Small pages beside each other become one."""
        joined: list[Row] = []
        for row in rows:
            if joined and joined[-1].size + row.size <= self._limits.page // 2:
                row = self._row(self._gathered([joined.pop(), row]))
            joined.append(row)
        return joined

    def _gathered(self, rows: list[Row]) -> Leaf:
        """All that is below these rows; their pages are used no more."""
        found = _merged(_leaves(self._find_any, Index(rows))) if rows else {}
        for row in rows:
            self._forget(row.ref)
        return found

    def _paged(self, changed: Leaf) -> list[Row]:
        if len(changed) <= self._limits.page:
            return [self._row(changed)] if changed else []
        return [self._row({name: changed[name] for name in part}) for part in _cut(sorted(changed), self._limits.page)]

    def _indexed(self, rows: list[Row]) -> list[Row]:
        return [self._row(Index(part)) for part in _cut(rows, self._limits.rows)] if rows else []

    def _row(self, page: Page) -> Row:
        if isinstance(page, Index):
            return Row(page.rows[0].first, self._keep(page), page.count)
        return Row(min(page), self._keep(page), len(page))

    # -- pages, old and new -----------------------------------------------------------------------------------------

    def _keep(self, page: Page) -> str:
        blob = page.encode() if isinstance(page, Index) else treeobj.encode_entries(page)
        ref = self._hash.blobref(blob)
        self._new[ref] = blob, page
        return ref

    def _forget(self, ref: str) -> None:
        page = self._find_any(ref)
        for row in page.rows if isinstance(page, Index) else ():
            self._forget(row.ref)
        if ref in self._new:
            del self._new[ref]
        else:
            self._old.append(ref)

    def _find_any(self, ref: str) -> Page | None:
        return self._new[ref][1] if ref in self._new else self._find(ref)

    def _at_hand(self, ref: str) -> Page:
        return at_hand(self._find, ref)

    def _check(self, refs: Iterable[str]) -> None:
        """Asks for all that is missing at once."""
        missing = [ref for ref in refs if self._find(ref) is None]
        if missing:
            raise Missing(missing)


def _applied(page: Leaf, changes: Changes) -> Leaf:
    changed = dict(page)
    for name, obj in changes.items():
        if obj is not None:
            changed[name] = treeobj.seal(obj)
        else:
            changed.pop(name, None)
    return changed


def _merged(parts: Iterable[Leaf]) -> Leaf:
    found: dict[str, Sealed] = {}
    for part in parts:
        found.update(part)
    return found


def _cut(items: list[Any], most: int) -> list[list[Any]]:
    """Even parts of at most so many; room is left in them if there are several."""
    if len(items) <= most:
        return [items]
    parts = -(-len(items) // (most * 3 // 4))
    return [items[len(items) * n // parts : len(items) * (n + 1) // parts] for n in range(parts)]
