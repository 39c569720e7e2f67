"""Where each namespace stands: its root, and who waits for it or for a later one."""

from collections.abc import Callable, Iterator
from typing import Any

PRIMARY = "primary"

Told = Callable[["Root | None"], None]
"""Who waits for a version; of a namespace that is removed meanwhile it is told None."""


class UnknownRoot(Exception):
    """The root of a namespace is needed that is not at hand."""

    def __init__(self, namespace: str) -> None:
        super().__init__(namespace)
        self.namespace = namespace


class Root:
    """The root of one namespace: a reference, and a sequence number that only grows."""

    __slots__ = ("_waiting", "flags", "namespace", "owner", "ref", "seq")

    def __init__(self, namespace: str, ref: str, seq: int, owner: int, flags: int = 0) -> None:
        self.namespace, self.ref, self.seq, self.owner, self.flags = namespace, ref, seq, owner, flags
        self._waiting: list[tuple[int, Told]] = []

    def move(self, ref: str, seq: int) -> None:
        """Takes the next root, and tells who waited for it. An older one changes nothing."""
        if seq <= self.seq:
            return
        self.ref, self.seq = ref, seq
        due = [told for wanted, told in self._waiting if wanted <= seq]
        self._waiting = [waiting for waiting in self._waiting if waiting[0] > seq]
        for told in due:
            told(self)

    def when(self, seq: int, told: Told) -> None:
        """Calls `told` when the root has reached `seq`, which may be now."""
        if self.seq >= seq:
            told(self)
        else:
            self._waiting.append((seq, told))

    def close(self) -> None:
        """The namespace is removed."""
        waiting, self._waiting = self._waiting, []
        for _, told in waiting:
            told(None)

    def forget(self, told: Told) -> None:
        """Somebody waits no more."""
        self._waiting = [waiting for waiting in self._waiting if waiting[1] is not told]

    @property
    def waiters(self) -> int:
        """How many wait for a later root."""
        return len(self._waiting)

    def described(self) -> dict[str, Any]:
        """The root as kvs.getroot answers it."""
        return {
            "owner": self.owner,
            "rootseq": self.seq,
            "rootref": self.ref,
            "flags": self.flags,
            "namespace": self.namespace,
        }

    def version(self) -> dict[str, Any]:
        """The root as a commit answers it."""
        return {"rootref": self.ref, "rootseq": self.seq}


class Roots:
    """The roots that this broker knows, and the questions about those that it does not know, or doubts."""

    __slots__ = ("_doubted", "_paused", "_roots", "_waiting")

    def __init__(self) -> None:
        self._paused: dict[str, dict[str, Any]] = {}
        """What was said last of namespaces that are to stay as they are."""
        self._roots: dict[str, Root] = {}
        self._doubted: set[str] = set()
        self._waiting: dict[str, list[Callable[[int], None]]] = {}

    def __iter__(self) -> Iterator[Root]:
        return iter(self._roots.values())

    def find(self, namespace: str) -> Root | None:
        """The root of a namespace, if it is known and not in doubt."""
        return None if namespace in self._doubted else self._roots.get(namespace)

    def wait(self, namespace: str, told: Callable[[int], None]) -> bool:
        """Calls `told` with 0 or an errno when that root has arrived. True: nobody has asked for it yet."""
        first = namespace not in self._waiting
        self._waiting.setdefault(namespace, []).append(told)
        return first

    def arrive(self, told: dict[str, Any]) -> None:
        """Takes what rank 0 says of a namespace, in an answer or an event."""
        namespace, ref, seq, owner = told["namespace"], told["rootref"], told["rootseq"], told["owner"]
        if namespace in self._paused:
            self._paused[namespace] = told
            return
        self._doubted.discard(namespace)
        root = self._roots.get(namespace)
        if root is None:
            self._roots[namespace] = Root(namespace, ref, seq, owner, told.get("flags", 0))
        else:
            root.move(ref, seq)
        self._tell(namespace, 0)

    def pause(self, namespace: str) -> None:
        """Lets a namespace stay as it is, whatever comes: for tests of what happens meanwhile."""
        self._paused.setdefault(namespace, {})

    def go_on(self, namespace: str) -> None:
        """Takes what was said last of a namespace that was paused."""
        told = self._paused.pop(namespace, None)
        if told:
            self.arrive(told)

    def followed(self, namespace: str) -> bool:
        """Whether somebody here has asked about a namespace; the primary one is everybody's."""
        return namespace == PRIMARY or namespace in self._roots or namespace in self._waiting

    def remove(self, namespace: str, errnum: int) -> None:
        """A namespace is gone: who waits for it is told."""
        self._doubted.discard(namespace)
        self._paused.pop(namespace, None)
        root = self._roots.pop(namespace, None)
        self._tell(namespace, errnum)
        if root is not None:
            root.close()

    def fail(self, namespace: str, errnum: int) -> None:
        """The root of a namespace cannot be had."""
        self._tell(namespace, errnum)

    def doubt(self) -> list[str]:
        """Events were lost: returns the namespaces to ask for again."""
        self._doubted.update(self._roots)
        return list(self._roots)

    def _tell(self, namespace: str, errnum: int) -> None:
        for told in self._waiting.pop(namespace, ()):
            told(errnum)
