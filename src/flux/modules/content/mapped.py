"""Blobs that are pieces of files (content.mmap-add). Pure: it knows where they are, not what is in them."""

from collections.abc import Iterable
from typing import Any, NamedTuple


class Where(NamedTuple):
    """A piece of a file."""

    path: str
    offset: int
    size: int


class Mapped:
    """The files that are mapped, by the tags under which they are removed again."""

    def __init__(self) -> None:
        self._tags: dict[str, list[tuple[str, list[tuple[bytes, int, int]]]]] = {}
        self._blobs: dict[bytes, Where] = {}

    def add(self, tag: str, path: str, pieces: Iterable[tuple[bytes, int, int]]) -> None:
        """Maps a file: `pieces` are (digest, offset, size)."""
        kept = list(pieces)
        self._tags.setdefault(tag, []).append((path, kept))
        self._learn(path, kept)

    def remove(self, tag: str) -> None:
        """Forgets all files of a tag; what others have of the same content is found there."""
        if self._tags.pop(tag, None) is not None:
            self._blobs.clear()
            for files in self._tags.values():
                for path, pieces in files:
                    self._learn(path, pieces)

    def find(self, digest: bytes) -> Where | None:
        """Where a blob is."""
        return self._blobs.get(digest)

    def stats(self) -> dict[str, Any]:
        """The files by tag, and how many blobs they make."""
        tags = {tag: [path for path, _ in files] for tag, files in self._tags.items()}
        return {"tags": tags, "blobs": len(self._blobs)}

    def _learn(self, path: str, pieces: Iterable[tuple[bytes, int, int]]) -> None:
        for digest, offset, size in pieces:
            self._blobs.setdefault(digest, Where(path, offset, size))
