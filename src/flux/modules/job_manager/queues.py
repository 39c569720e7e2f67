"""Queues (RFC 33): which there are, and whether each takes jobs and starts them. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from errno import EINVAL
from typing import Any


@dataclass(slots=True)
class Queue:
    """One of them. The anonymous queue's name is ""."""

    name: str = ""
    enabled: bool = True
    disable_reason: str | None = None
    started: bool = True
    stop_reason: str | None = None

    def described(self) -> dict[str, Any]:
        """As job-manager.queue-status has it."""
        told: dict[str, Any] = {"enable": self.enabled, "start": self.started}
        if not self.enabled and self.disable_reason is not None:
            told["disable_reason"] = self.disable_reason
        if not self.started and self.stop_reason is not None:
            told["stop_reason"] = self.stop_reason
        return told

    def kept(self) -> dict[str, Any]:
        """As a checkpoint has it."""
        return {"name": self.name} | self.described() if self.name else self.described()


class Queues:
    """All queues. Without names there is one, the anonymous one."""

    def __init__(self) -> None:
        self._queues = {"": Queue()}

    def __iter__(self) -> Iterator[Queue]:
        return iter(self._queues.values())

    @property
    def named(self) -> bool:
        """Whether there are named ones."""
        return "" not in self._queues

    def configure(self, names: list[str]) -> None:
        """These are the names; named queues are stopped at first, as today."""
        if names:
            self._queues = {name: self._queues.get(name) or Queue(name, started=False) for name in names}
        else:
            self._queues = {"": self._queues.get("") or Queue()}

    def find(self, name: str) -> Queue:
        """A queue. EINVAL if there is none of that name."""
        if name not in self._queues:
            raise OSError(EINVAL, f"'{name}' is not a valid queue" if name else "a queue must be named")
        return self._queues[name]

    def chosen(self, name: str | None, all: bool) -> list[Queue]:
        """Those that a request means. EINVAL if it does not say which."""
        if name is not None:
            return [self.find(name)]
        if self.named and not all:
            raise OSError(EINVAL, "Use --all to apply this command to all queues")
        return list(self)

    def restore(self, kept: list[dict[str, Any]]) -> None:
        """Takes the states that a checkpoint has."""
        for state in kept:
            queue = self._queues.get(state.get("name", ""))
            if queue is not None:
                queue.enabled, queue.disable_reason = bool(state.get("enable", True)), state.get("disable_reason")
                queue.started, queue.stop_reason = bool(state.get("start", True)), state.get("stop_reason")
