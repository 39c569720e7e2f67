"""The run directory: private, short enough for the paths of sockets, gone at the end."""

import os
from contextlib import suppress
from errno import EACCES, EBUSY, EEXIST, ENAMETOOLONG, ENOENT
from fcntl import LOCK_EX, LOCK_NB, flock

SOCKET_PATH_MAX = 103
"""Bytes of a socket's path that every system takes (macOS 103, Linux 107)."""
LONGEST_NAME = 16
"""Bytes of the longest socket name in a run directory, with its slash."""


def make(environ: "os._Environ[str] | dict[str, str]" = os.environ) -> str:
    """Makes a directory of our own below TMPDIR, or below /tmp where the path would be too long for sockets."""
    name = f"flux-{os.urandom(4).hex()}"
    for base in dict.fromkeys((environ.get("TMPDIR") or "/tmp", "/tmp")):
        path = os.path.join(os.path.abspath(base), name)
        if len(os.fsencode(path)) + LONGEST_NAME <= SOCKET_PATH_MAX:
            return _made(path)
    raise OSError(ENAMETOOLONG, f"{path}: too long for a socket's path")


def claim(path: str) -> bool:
    """Makes the directory that somebody has chosen, if it is not there. Says whether it did: who makes it, removes it.
    OSError says why it cannot be a run directory."""
    made = not os.path.isdir(path)
    if made:
        make_private(path)
    try:
        check(path)
    except OSError:
        if made:
            remove_empty(path)
        raise
    return made


def check(path: str) -> None:
    """Refuses a directory that somebody else has chosen and that cannot be a run directory; OSError names it."""
    if not os.path.isdir(path):
        raise OSError(ENOENT, f"rundir {path}: no such directory")
    if not os.access(path, os.W_OK | os.X_OK):
        raise OSError(EACCES, f"rundir {path}: {os.strerror(EACCES)}")
    if len(os.fsencode(path)) + LONGEST_NAME > SOCKET_PATH_MAX:
        raise OSError(ENAMETOOLONG, f"rundir {path}: too long for a socket's path")


def hold(path: str, rank: int) -> int:
    """Keeps other brokers of the same rank out of a run directory, until `release` with what this returns, or until
    this process ends. OSError(EBUSY) says who holds it already."""
    while True:
        fd = os.open(_lock(path, rank), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            flock(fd, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            holder = os.read(fd, 20).decode(errors="replace")
            os.close(fd)
            raise OSError(
                EBUSY, f"rundir {path}: in use by another session: flux-broker-{rank}, pid {holder}"
            ) from None
        if _is_there(fd, _lock(path, rank)):
            os.ftruncate(fd, 0)
            os.write(fd, str(os.getpid()).encode())
            return fd
        os.close(fd)  # its last holder has just let go of it


def release(path: str, rank: int, fd: int) -> None:
    """Lets others use it, and leaves nothing of ours in it."""
    with suppress(OSError):
        os.unlink(_lock(path, rank))
    os.close(fd)


def make_private(path: str) -> None:
    """Makes a directory that only we can use. OSError names it."""
    try:
        os.mkdir(path, 0o700)
    except OSError as error:
        raise OSError(error.errno, f"{path}: {error.strerror}") from None


def remove_empty(path: str) -> bool:
    """Removes a directory if nothing is in it; says whether it did."""
    with suppress(OSError):
        os.rmdir(path)
        return True
    return False


def remove(path: str) -> None:
    """Removes a directory with all that is in it, as far as that is possible."""
    if remove_empty(path):
        return
    with suppress(OSError), os.scandir(path) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                with suppress(OSError):
                    os.chmod(entry.path, 0o700)
                remove(entry.path)
            else:
                with suppress(OSError):
                    os.unlink(entry.path)
    remove_empty(path)


def _made(path: str) -> str:
    try:
        make_private(path)
    except OSError as error:
        if error.errno == EEXIST:
            raise OSError(EEXIST, f"{path}: somebody was here first") from None
        raise
    return path


def _lock(path: str, rank: int) -> str:
    return f"{path}/lock-{rank}"


def _is_there(fd: int, path: str) -> bool:
    """Whether a path still leads to an open file."""
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))
    except FileNotFoundError:
        return False
