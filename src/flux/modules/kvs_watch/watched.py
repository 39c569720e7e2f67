"""One namespace that somebody watches: its root, and who wants to know of which key."""

from collections.abc import Collection
from typing import Any

from flux.modules.kvs_watch.watcher import Watcher


class Watched:
    """Whom a new root concerns is found without asking everybody."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.ref, self.seq, self.owner = "", -1, -1
        self.asking = False
        """Whether the root has been asked for."""
        self.watchers: dict[Watcher, None] = {}
        self._by_key: dict[str, dict[Watcher, None]] = {}
        self._of_every_root: dict[Watcher, None] = {}

    @property
    def known(self) -> bool:
        """Whether there is a root to look at."""
        return self.seq >= 0

    def add(self, watcher: Watcher) -> None:
        """Somebody wants to know."""
        self.watchers[watcher] = None
        if watcher.every_root:
            self._of_every_root[watcher] = None
        else:
            self._by_key.setdefault(watcher.key, {})[watcher] = None

    def remove(self, watcher: Watcher) -> None:
        """Somebody wants to know no more."""
        self.watchers.pop(watcher, None)
        self._of_every_root.pop(watcher, None)
        of_key = self._by_key.get(watcher.key, {})
        of_key.pop(watcher, None)
        if not of_key:
            self._by_key.pop(watcher.key, None)

    def arrive(self, told: dict[str, Any]) -> None:
        """Takes a root. Those look at it whom it concerns; all do when nobody knows what has changed since the last."""
        before, self.seq = self.seq, max(self.seq, told["rootseq"])
        if self.seq == before:
            return
        self.ref, self.owner = told["rootref"], told["owner"]
        next_one = before >= 0 and self.seq == before + 1 and "keys" in told
        for watcher in self._concerned(told["keys"]) if next_one else list(self.watchers):
            watcher.look(self.ref, self.seq, compare=before >= 0 and not next_one)

    def _concerned(self, keys: Collection[str]) -> list[Watcher]:
        """Those who look at a root that has changed these keys."""
        found = list(self._of_every_root)
        few, many = (keys, self._by_key) if len(keys) < len(self._by_key) else (self._by_key, keys)
        for key in few:
            if key in many:
                found.extend(self._by_key[key])
        return found

    def figures(self) -> dict[str, Any]:
        """Where it stands."""
        return {"owner": self.owner, "rootseq": self.seq, "rootref": self.ref, "watchers": len(self.watchers)}
