"""What only some kernels have: subreapers, pidfds, peer credentials, names for ps. Beside each, the portable way."""

import ctypes
import os
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress
from errno import ENOSYS
from fcntl import ioctl
from functools import cache
from typing import Any

LINUX = sys.platform == "linux"

SIOCGIFADDR = 0x8915
PR_SET_NAME = 15
PR_SET_CHILD_SUBREAPER = 36

SOL_LOCAL, LOCAL_PEERCRED, LOCAL_PEERPID = 0, 1, 2
"""What macOS has in place of SO_PEERCRED."""


def set_subreaper() -> bool:
    """Makes this process the parent of every descendant that loses its own. False where there is no such thing."""
    return LINUX and _prctl(PR_SET_CHILD_SUBREAPER, 1)


def peer_credentials(sock: socket.socket) -> tuple[int, int, int]:
    """Who is at the other end of a unix socket, by the kernel's word: pid, uid, gid."""
    if LINUX:
        size = struct.calcsize("iII")
        pid, uid, gid = struct.unpack("iII", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
        return pid, uid, gid
    xucred = sock.getsockopt(SOL_LOCAL, LOCAL_PEERCRED, 76)
    _, uid, _, gid = struct.unpack_from("=IIhxxI", xucred)
    return sock.getsockopt(SOL_LOCAL, LOCAL_PEERPID), uid, gid


def interface_address(name: str) -> str:
    """The IPv4 address of a network interface; "" without one, or where the system does not say."""
    if not LINUX:
        return ""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking, suppress(OSError):
        answer = ioctl(asking, SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
        return socket.inet_ntoa(answer[20:24])
    return ""


def pidfd_open(pid: int) -> int:
    """A descriptor that becomes readable when `pid` ends. OSError(ENOSYS) where only its parent can know."""
    if not hasattr(os, "pidfd_open"):
        raise OSError(ENOSYS, "no pidfd on this system")
    return os.pidfd_open(pid)


def set_process_name(name: str) -> None:
    """Names this process for `ps`, `top` and `pgrep`, as far as the system lets it. Never fails."""
    if LINUX:
        _prctl(PR_SET_NAME, name.encode()[:15] + b"\0")
        _overwrite_arguments(name.encode())


def children(pid: int) -> list[int]:
    """The children of a process; none where the system does not say."""
    if not os.path.exists("/proc/thread-self/children"):
        return [child for child, parent in _parents() if parent == pid]
    try:
        return [child for thread in os.listdir(f"/proc/{pid}/task") for child in _thread_children(pid, thread)]
    except (FileNotFoundError, ProcessLookupError):
        return []


def descendants(pid: int) -> Iterator[int]:
    """Everything below a process, parents first; nothing where the system does not say."""
    for child in children(pid):
        yield child
        yield from descendants(child)


def environment(pid: int) -> frozenset[bytes]:
    """What a process was given as its environment (NAME=VALUE each); nothing where the system does not say."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return frozenset(filter(None, file.read().split(b"\0")))
    except OSError:
        return frozenset()


@cache
def _prctl_function() -> Any:
    """prctl(2), found once: what a parent has looked up, its children share."""
    return ctypes.CDLL(None).prctl


def _prctl(option: int, value: int | bytes) -> bool:
    argument = ctypes.c_char_p(value) if isinstance(value, bytes) else ctypes.c_ulong(value)
    unused = ctypes.c_ulong(0)
    return bool(_prctl_function()(option, argument, unused, unused, unused) == 0)


@cache
def _arguments() -> tuple[int, int]:
    """Where in our memory the kernel finds our command line, and how long it is; 0 if it does not say."""
    try:
        with open("/proc/self/stat", "rb") as stat:
            fields = stat.read().rpartition(b")")[2].split()
    except OSError:
        return 0, 0
    start, end = int(fields[45]), int(fields[46])
    return start, end - start if start > 0 else 0


def _overwrite_arguments(text: bytes) -> None:
    """Puts `text` in place of our command line, cut to what fits there."""
    start, room = _arguments()
    if room > 0:
        ctypes.memmove(start, text[: room - 1].ljust(room, b"\0"), room)


def _thread_children(pid: int, thread: str) -> list[int]:
    with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
        return [int(child) for child in file.read().split()]


def _parents() -> Iterator[tuple[int, int]]:
    """Each process and its parent. The slow way, for kernels without /proc/PID/task/TID/children."""
    for name in os.listdir("/proc") if os.path.isdir("/proc") else ():
        try:
            with open(f"/proc/{int(name)}/stat", "rb") as stat:
                yield int(name), int(stat.read().rpartition(b")")[2].split()[1])
        except (ValueError, OSError):
            continue
