"""The directories that are at hand, parsed, by blobref. Bounded: what was not used for longest goes first."""

from collections import OrderedDict

from flux.modules.kvs.pages import Page, parse


class Dirs:
    """Parsed directories, or pages of large ones, up to `limit` bytes of their JSON."""

    __slots__ = ("_dirs", "limit", "size")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.size = 0
        self._dirs: OrderedDict[str, tuple[Page, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._dirs)

    def __contains__(self, ref: str) -> bool:
        return ref in self._dirs

    def find(self, ref: str) -> Page | None:
        """A directory, if it is at hand."""
        found = self._dirs.get(ref)
        if found is None:
            return None
        self._dirs.move_to_end(ref)
        return found[0]

    def put(self, ref: str, page: Page, size: int) -> None:
        """Keeps a directory whose JSON has `size` bytes."""
        if ref not in self._dirs:
            self._dirs[ref] = (page, size)
            self.size += size
            while self.size > self.limit and len(self._dirs) > 1:
                self.size -= self._dirs.popitem(last=False)[1][1]

    def read(self, ref: str, blob: bytes) -> Page | None:
        """Keeps the directory that a blob holds, and returns it; None if it holds none."""
        page = parse(blob)
        if page is not None:
            self.put(ref, page, len(blob))
        return page

    def retire(self, ref: str) -> None:
        """A newer version took the place of that directory: lets it go before all others."""
        if ref in self._dirs:
            self._dirs.move_to_end(ref, last=False)

    def clear(self) -> None:
        """Lets everything go."""
        self._dirs.clear()
        self.size = 0

    def sizes(self) -> list[int]:
        """Bytes of each directory."""
        return [size for _, size in self._dirs.values()]


class View:
    """Directories as one question sees them: what it was shown stays until it is answered, however many come."""

    __slots__ = ("_dirs", "_own")

    def __init__(self, dirs: Dirs) -> None:
        self._dirs = dirs
        self._own: dict[str, Page] = {}

    def find(self, ref: str) -> Page | None:
        """A directory, if it is at hand."""
        found = self._own.get(ref)
        if found is None:
            found = self._dirs.find(ref)
            if found is not None:
                self._own[ref] = found
        return found

    def read(self, ref: str, blob: bytes) -> bool:
        """Keeps the directory that a blob holds; False if it holds none."""
        found = self._dirs.find(ref)
        if found is None:
            found = self._dirs.read(ref, blob)
        if found is not None:
            self._own[ref] = found
        return found is not None
