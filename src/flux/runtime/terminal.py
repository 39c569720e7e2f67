"""The terminal that we are started from, if there is one."""

import os
import signal


def typed(signum: int) -> bool:
    """Whether a signal came from the keyboard, so that everybody in our process group has it as well."""
    if signum not in (signal.SIGINT, signal.SIGQUIT):
        return False
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
