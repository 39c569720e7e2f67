"""Facts about this machine and this process that nobody else may ask for directly: names, clocks, chance, usage."""

import os
import resource
import socket
import sys
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from errno import EINVAL, EMFILE
from typing import Any

_WHO = {"self": resource.RUSAGE_SELF, "children": resource.RUSAGE_CHILDREN}
_TIMES = ("utime", "stime")
_COUNTS = (
    "maxrss", "ixrss", "idrss", "isrss", "minflt", "majflt", "nswap",
    "inblock", "oublock", "msgsnd", "msgrcv", "nsignals", "nvcsw", "nivcsw",
)  # fmt: skip


def hostname() -> str:
    """This host's name, without its domain."""
    return full_hostname().partition(".")[0]


def full_hostname() -> str:
    """This host's name, as hostname(1) has it."""
    return socket.gethostname()


def belongs(uid: int, users: Sequence[str], groups: Sequence[str]) -> bool:
    """Whether a user has one of these names, or is listed in one of these groups. Names that nobody has count not."""
    import grp  # few sessions have roles for users
    import pwd

    with suppress(KeyError):
        name = pwd.getpwuid(uid).pw_name
        if name in users:
            return True
        for group in groups:
            with suppress(KeyError):
                if name in grp.getgrnam(group).gr_mem:
                    return True
    return False


def fresh_uuid() -> str:
    """36 characters that nobody else has."""
    return str(uuid.uuid4())


def wall() -> float:
    """Seconds since 1970."""
    return time.time()


def rusage(who: str) -> dict[str, Any]:
    """getrusage(2) of self, children or thread. OSError(EINVAL) names another who."""
    whom = getattr(resource, "RUSAGE_THREAD", None) if who == "thread" else _WHO.get(who)
    if whom is None:
        raise OSError(EINVAL, f"rusage: who is '{who}', not self, children or thread")
    used = resource.getrusage(whom)
    return {name: getattr(used, f"ru_{name}") for name in (*_TIMES, *_COUNTS)}


def resident() -> int:
    """Bytes of memory that this process has now; where the system does not say, the most that it has had."""
    try:
        with open("/proc/self/statm", "rb") as statm:
            return int(statm.read().split()[1]) * resource.getpagesize()
    except OSError:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024


def check_descriptors(needed: int, what: str) -> None:
    """Refuses what would need more open files than this process may have; OSError(EMFILE) names it and both numbers."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed != resource.RLIM_INFINITY and needed > allowed:
        raise OSError(EMFILE, f"{what} needs {needed} open files, {allowed} are allowed (see `ulimit -n`)")


def to_stderr(text: str) -> None:
    """Writes one line to stderr; a closed stderr is nobody's error."""
    with suppress(OSError, ValueError):
        sys.stderr.write(text + "\n")
        sys.stderr.flush()


class LogFile:
    """A file that lines are appended to."""

    def __init__(self, path: str) -> None:
        self._file = open(path, "a", encoding="utf-8", buffering=1)  # noqa: SIM115 - open as long as the log is

    def __call__(self, text: str) -> None:
        """Appends one line."""
        self._file.write(text + "\n")

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def to_syslog(severity: int, text: str) -> None:
    """Writes a line to the host's log, as a message of a user's (facility LOG_USER)."""
    import syslog

    syslog.openlog("flux-broker", syslog.LOG_PID, syslog.LOG_USER)
    syslog.syslog(severity, text)


def end_now(code: int) -> None:
    """Ends this process with nothing cleaned up."""
    os._exit(code)
