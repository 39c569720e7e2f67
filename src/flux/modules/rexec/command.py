"""The command object of RFC 42: what to run, and with which options of its streams."""

from errno import EINVAL, EPROTO
from typing import Any

import msgspec

BUFFER = 4 << 20
"""Bytes that are kept for a stream unless an option says otherwise."""
UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
PRIVATE = ("FLUX_PROXY_REMOTE", "NOTIFY_SOCKET", "INVOCATION_ID")
"""Variables that mean who sent them, not what is started here."""


class Command(msgspec.Struct, frozen=True):
    """A command as a client describes it."""

    cmdline: list[str]
    env: dict[str, str]
    opts: dict[str, str]
    channels: list[str]
    cwd: str | None = None
    label: str | None = None
    msgchan: list[Any] = []

    @property
    def name(self) -> str:
        """How lists and messages call it; `flux` alone would tell nothing."""
        return " ".join(self.cmdline[: 2 if self.cmdline[0] == "flux" else 1])

    def log_name(self, pid: int) -> str:
        """How the log calls it."""
        return f"{self.label or self.cmdline[0].rpartition('/')[2]}[{pid}]"

    def environment(self, inherited: dict[str, str], uri: str) -> dict[str, str]:
        """What it is started with: what it says, or else the broker's own; always with this broker's URI."""
        env = {**(self.env or inherited), "FLUX_URI": uri}
        return {name: value for name, value in env.items() if name not in PRIVATE}

    def buffer_size(self, stream: str) -> int:
        """Bytes that may wait in a stream's buffer. OSError(EINVAL) for an option that is no size."""
        return self._size(f"{stream}_BUFSIZE", str(BUFFER))

    def window(self, stream: str) -> int:
        """Bytes of output that may be on their way to the client, 0 for any number. An option of ours."""
        option = f"{stream}_WINDOW"
        return self._size(option, "") if option in self.opts else 0

    def line_buffered(self, stream: str) -> bool:
        """Whether its output is told line by line. OSError(EINVAL) for an option that is neither true nor false."""
        option = f"{stream}_LINE_BUFFER"
        text = self.opts.get(option, "true").lower()
        if text not in ("true", "false"):
            raise OSError(EINVAL, f"option {option}: not true or false: {text}")
        return text == "true"

    def _size(self, option: str, usual: str) -> int:
        text = self.opts.get(option, usual).strip()
        number = text.rstrip("kKmMgG")
        unit = UNITS.get(text[len(number) :].lower())
        try:
            size = int(float(number) * (unit or 0))
        except (ValueError, OverflowError):
            size = 0
        if size <= 0:
            raise OSError(EINVAL, f"option {option}: bad size: {text}")
        return size


def command(data: dict[str, Any]) -> Command:
    """Reads a command object. OSError(EPROTO) says what is wrong with it."""
    try:
        found = msgspec.convert(data, Command)
    except msgspec.ValidationError as error:
        raise OSError(EPROTO, f"error parsing command string: {error}") from None
    if not found.cmdline:
        raise OSError(EPROTO, "command string is empty")
    if found.label == "":
        raise OSError(EPROTO, "command label is empty")
    if found.msgchan:
        raise OSError(EINVAL, "message channels are not supported")
    return found
