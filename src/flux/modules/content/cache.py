"""Blobs by digest. Clean ones can be had again elsewhere and leave when there are too many bytes; dirty ones stay."""

from collections import OrderedDict

COST = 200
"""Bytes that a blob takes in memory besides its own."""


class Cache:
    """The blobs of one broker: up to `limit` bytes of clean ones, and all dirty ones."""

    __slots__ = ("_clean", "_dirty", "_turn", "_used", "clean_size", "cost", "dirty_size", "limit")

    def __init__(self, limit: int, cost: int = COST) -> None:
        self.limit, self.cost = limit, cost
        self.clean_size = self.dirty_size = 0
        self._clean: OrderedDict[bytes, bytes] = OrderedDict()
        """Who was used last is last."""
        self._used: dict[bytes, float] = {}
        """When each clean one was used, as far as `expire` was told the time."""
        self._turn = 0.0
        self._dirty: dict[bytes, bytes] = {}

    def __len__(self) -> int:
        return len(self._clean) + len(self._dirty)

    @property
    def dirty_count(self) -> int:
        """The number of dirty blobs."""
        return len(self._dirty)

    @property
    def size(self) -> int:
        """Bytes of all blobs."""
        return self.clean_size + self.dirty_size

    def find(self, digest: bytes) -> bytes | None:
        """The blob, if it is here."""
        blob = self._clean.get(digest)
        if blob is None:
            return self._dirty.get(digest)
        self._clean.move_to_end(digest)
        self._used[digest] = self._turn
        return blob

    def is_dirty(self, digest: bytes) -> bool:
        """Whether nobody else is known to have that blob."""
        return digest in self._dirty

    def dirty(self) -> dict[bytes, bytes]:
        """The dirty blobs."""
        return dict(self._dirty)

    def put(self, digest: bytes, blob: bytes) -> None:
        """Keeps a clean blob, for a while."""
        if digest in self._dirty or digest in self._clean:
            return
        self._clean[digest] = blob
        self._used[digest] = self._turn
        self.clean_size += len(blob) + self.cost
        while self.clean_size > self.limit:
            self._evict(next(iter(self._clean)))

    def expire(self, now: float, age: float) -> None:
        """Lets those clean blobs go that were not used for `age` seconds; to be told the time again and again."""
        self._turn = now
        while self._clean and now - self._used[next(iter(self._clean))] > age:
            self._evict(next(iter(self._clean)))

    def _evict(self, digest: bytes) -> bytes:
        blob = self._clean.pop(digest)
        del self._used[digest]
        self.clean_size -= len(blob) + self.cost
        return blob

    def soil(self, digest: bytes, blob: bytes) -> None:
        """Keeps a blob until it is cleaned or forgotten."""
        if digest in self._dirty:
            return
        if digest in self._clean:
            self._evict(digest)
        self._dirty[digest] = blob
        self.dirty_size += len(blob)

    def clean(self, digest: bytes) -> None:
        """Somebody else has that blob now."""
        blob = self.forget(digest)
        if blob is not None:
            self.put(digest, blob)

    def forget(self, digest: bytes) -> bytes | None:
        """Lets a dirty blob go."""
        blob = self._dirty.pop(digest, None)
        if blob is not None:
            self.dirty_size -= len(blob)
        return blob

    def drop(self) -> int:
        """Lets all clean blobs go; says how many there were."""
        count = len(self._clean)
        self._clean.clear()
        self._used.clear()
        self.clean_size = 0
        return count
