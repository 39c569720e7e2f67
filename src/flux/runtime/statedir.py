"""The state directory: what outlives a session. One instance at a time has it, by a lock that dies with the process."""

import fcntl
import os
from contextlib import suppress
from errno import EACCES, EAGAIN, EBUSY, ENOENT, ENOTDIR, EPERM, EROFS

from flux.runtime.rundir import make_private
from flux.runtime.system import hostname

LOCK = "lock"


def check(path: str) -> None:
    """Refuses what cannot be a state directory; OSError names it. One that is not there will be made."""
    if not os.path.lexists(path):
        _check_writable(os.path.dirname(path), path)
    elif not os.path.isdir(path):
        raise OSError(ENOTDIR, f"statedir {path}: {os.strerror(ENOTDIR)}")
    elif os.stat(path).st_uid != os.geteuid():
        raise OSError(EPERM, f"statedir {path}: belongs to user {os.stat(path).st_uid}, not to {os.geteuid()}")
    else:
        _check_writable(path, path)


def claim(path: str) -> int:
    """Makes the directory if it is not there, and locks it; the descriptor that comes back is the lock. OSError."""
    check(path)
    try:
        if not os.path.isdir(path):
            make_private(path)
        lock = os.open(os.path.join(path, LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise OSError(error.errno, f"statedir {path}: {os.strerror(error.errno or EACCES)}") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        owner = os.pread(lock, 300, 0).decode(errors="replace").strip()
        os.close(lock)
        if error.errno in (EAGAIN, EACCES):
            raise OSError(EBUSY, f"statedir {path}: in use by {owner or 'another instance'}") from None
        raise OSError(error.errno, f"statedir {path}: cannot be locked: {error.strerror}") from None
    with suppress(OSError):  # on a full disk nobody learns who has it
        os.truncate(lock, 0)
        os.pwrite(lock, f"process {os.getpid()} on {hostname()}\n".encode(), 0)
    return lock


def _check_writable(where: str, path: str) -> None:
    where = where or "."
    if os.access(where, os.W_OK | os.X_OK):
        return
    errnum = ENOENT if not os.path.isdir(where) else EROFS if os.statvfs(where).f_flag & os.ST_RDONLY else EACCES
    raise OSError(errnum, f"statedir {path}: {os.strerror(errnum)}")
