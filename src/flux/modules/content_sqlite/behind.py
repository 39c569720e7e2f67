"""Writing behind: who writes goes on at once, and what waits for the disk is bounded."""

from collections import deque
from collections.abc import Callable

from flux.modules.content_sqlite.change import Change
from flux.service.ports import Told

DELAY, LATER = 0.05, 1.0
"""Seconds until what waits is written, and until that is tried again when it failed."""
MUCH = 4 << 20
"""Bytes that are not waited with."""

Save = Callable[[Change, Told[None]], None]
After = Callable[[float, Callable[[], None]], object]


class Behind:
    """What waits, and what is being written. `save` writes a change; `after` calls something in so many seconds."""

    def __init__(self, save: Save, after: After, limit: int) -> None:
        self._save, self._after, self._limit = save, after, limit
        self._waiting, self._saving = Change(), Change()
        self._flushes: list[Told[None]] = []
        self._crowd: deque[tuple[Change, Told[None]]] = deque()
        """What there is no room for."""
        self._writing = self._woken = False
        self._error: OSError | None = None

    @property
    def size(self) -> int:
        """Bytes of blobs that are not written yet."""
        return self._waiting.size + self._saving.size

    def find(self, key: bytes) -> bytes | None:
        """A blob that is not written yet."""
        blob = self._waiting.blobs.get(key)
        return self._saving.blobs.get(key) if blob is None else blob

    def put(self, change: Change, told: Told[None]) -> None:
        """Takes a change. `told` hears at once, or when there is room; or why there will be none."""
        if not self._crowd and self._fits(change):
            self._waiting.add(change)
            told(None, None)
        elif self._error is not None:
            told(None, self._error)
        else:
            self._crowd.append((change, told))
        self._wake()

    def flush(self, told: Told[None]) -> None:
        """`told` hears when nothing waits, or why something has to."""
        self._flushes.append(told)
        self._write()

    def _fits(self, change: Change) -> bool:
        return not change.size or not self.size or self.size + change.size <= self._limit

    def _wake(self) -> None:
        if self._waiting.size > MUCH and self._error is None:
            self._write()
        elif not self._woken:
            self._woken = True
            self._after(LATER if self._error else DELAY, self._awake)

    def _awake(self) -> None:
        self._woken = False
        self._write()

    def _write(self) -> None:
        if self._writing:
            return
        if self._waiting:
            self._writing = True
            self._saving, self._waiting = self._waiting, Change()
            self._save(self._saving, self._saved)
        else:
            self._tell(None)

    def _saved(self, result: None, error: OSError | None) -> None:
        self._writing, self._error = False, error
        saved, self._saving = self._saving, Change()
        if error is not None:
            saved.add(self._waiting)
            self._waiting = saved
            self._tell(error)
            self._wake()
        else:
            self._let_in()
            if self._waiting and (self._flushes or self._crowd):
                self._write()
            elif self._waiting:
                self._wake()
            else:
                self._tell(None)

    def _let_in(self) -> None:
        while self._crowd and self._fits(self._crowd[0][0]):
            change, told = self._crowd.popleft()
            self._waiting.add(change)
            told(None, None)

    def _tell(self, error: OSError | None) -> None:
        """Nothing waits any more, or it has to."""
        told = self._flushes + [told for _, told in self._crowd]
        self._flushes, self._crowd = [], deque()
        for tell in told:
            tell(None, error)
