"""Plain descriptors, for programs that block."""

import os
from select import POLLOUT, poll


def write_all(descriptor: int, data: bytes) -> None:
    """Writes all of it, also to a descriptor that somebody has made non-blocking."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:
            room = poll()
            room.register(descriptor, POLLOUT)
            room.poll()


def close_all_but(*kept: int) -> None:
    """Closes every descriptor except the standard ones and these."""
    low = 3
    for descriptor in sorted(kept):
        os.closerange(low, descriptor)
        low = descriptor + 1
    os.closerange(low, os.sysconf("SC_OPEN_MAX"))


def fill_standard() -> None:
    """Puts /dev/null where stdin, stdout or stderr is closed, so that no socket of ours takes its number."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) < 3:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
