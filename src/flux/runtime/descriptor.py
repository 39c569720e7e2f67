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
