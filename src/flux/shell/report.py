"""What a node's shell says to the leader of its job, and what it would have to say again. Pure.

Output is numbered. All else is how things are now: saying it twice does no harm."""

from collections.abc import Callable
from typing import Any

from flux.shell.output import Chunk, Output

Tell = Callable[[str, dict[str, Any]], None]
"""Tells the leader: `started`, `output`, `credit`, `enter`, `exited`, `failed`, `finish`, which is the last."""

ORDER = ("failed", "started", "exited", "credit", "enter")
"""What is said before the output when it is said again."""


class Report:
    """Everything that is said goes through here."""

    def __init__(self, output: Output, tell: Tell) -> None:
        self._output, self._tell = output, tell
        self._said: dict[str, dict[str, Any]] = {}
        self._last = 0

    def say(self, type: str, data: dict[str, Any]) -> None:
        """Things are so now."""
        self._said[type] = data
        self._tell(type, data)

    def unsay(self, type: str) -> None:
        """They are not so any more; who has not heard of it need not."""
        self._said.pop(type, None)

    def output(self, chunk: Chunk) -> None:
        """A task wrote something."""
        self._last = chunk.number
        self._say(chunk)

    def finish(self, exits: dict[str, Any]) -> None:
        """All tasks are over; nothing follows."""
        self.say("finish", {**exits, "seq": self._last})

    def again(self, after: int) -> None:
        """Says it all again, to a leader who has the output up to number `after`."""
        said = self._said
        for type in ORDER:
            if type in said:
                self._tell(type, said[type])
        for chunk in self._output.unacknowledged:
            if chunk.number > after:
                self._say(chunk)
        if "finish" in said:
            self._tell("finish", said["finish"])

    def _say(self, chunk: Chunk) -> None:
        self._tell("output", {"seq": chunk.number, "io": chunk.context})
