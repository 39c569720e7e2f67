"""Blobs that somebody keeps for good, up to so many bytes."""

from collections.abc import Callable, Mapping
from errno import ENOENT, ENOSPC


class Blobs:
    """Blobs by digest, at most `limit` bytes of them."""

    __slots__ = ("_blobs", "limit", "size")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.size = 0
        self._blobs: dict[bytes, bytes] = {}

    def __len__(self) -> int:
        return len(self._blobs)

    def __contains__(self, digest: bytes) -> bool:
        return digest in self._blobs

    def load(self, digest: bytes) -> bytes:
        """The blob. Raises ENOENT."""
        try:
            return self._blobs[digest]
        except KeyError:
            raise OSError(ENOENT, f"no blob {digest.hex()}") from None

    def store(self, blobs: Mapping[bytes, bytes]) -> None:
        """Keeps all of those blobs or, by ENOSPC, none."""
        fresh = {digest: blob for digest, blob in blobs.items() if digest not in self._blobs}
        grown = self.size + sum(map(len, fresh.values()))
        if fresh and grown > self.limit:
            raise OSError(ENOSPC, f"content store is full: all of its {self.limit} bytes of memory are taken")
        self._blobs.update(fresh)
        self.size = grown

    def sweep(self, keep: Callable[[bytes], bool]) -> int:
        """Lets all blobs go but those to keep; says how many went."""
        gone = [digest for digest in self._blobs if not keep(digest)]
        for digest in gone:
            self.size -= len(self._blobs.pop(digest))
        return len(gone)
