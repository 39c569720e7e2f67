"""How a keeper starts a process: it becomes what the process should be, spawns (vfork), and becomes itself again."""

import os
import resource
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from errno import EACCES, EINVAL, ENOENT, ENOEXEC, ENOTDIR
from functools import partial

from flux.runtime.keeper_link import Start

STANDARD = {"stdin": 0, "stdout": 1, "stderr": 2}
SIGNALS = tuple(sorted(map(int, signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})))
"""All that can be set back to what they are without us."""
PATH = b"/usr/local/bin:/usr/bin:/bin"
"""Where commands are when the environment does not say."""


def born(order: Start, descriptors: Sequence[int], home: int) -> int:
    """Starts a process and returns its pid. `home` is the directory to come back to. OSError names what is wrong."""
    files = []
    for name, descriptor in zip(order.names, descriptors, strict=True):
        if name in STANDARD:
            files.append((os.POSIX_SPAWN_DUP2, descriptor, STANDARD[name]))
        else:
            os.set_inheritable(descriptor, True)
            order.env[os.fsencode(name)] = b"%d" % descriptor
    with ExitStack() as back:
        _become(order, home, lambda do, *args: back.callback(_undo, do, *args))
        if order.input:
            descriptor = _opened(order.input)
            back.callback(os.close, descriptor)
            files.append((os.POSIX_SPAWN_DUP2, descriptor, STANDARD["stdin"]))
        return _spawn(order, files)


def _opened(path: bytes) -> int:
    """A file to read from. One that somebody must write to first is not waited for."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise OSError(error.errno, f"{os.fsdecode(path)}: {error.strerror}") from None
    os.set_blocking(descriptor, True)
    return descriptor


def _undo(do: Callable[..., object], *args: object) -> None:
    """Becomes itself again, as far as it can: whoever has been started runs, whatever comes of this."""
    with suppress(OSError, ValueError):
        do(*args)


def _become(order: Start, home: int, back: Callable[..., object]) -> None:
    if order.cwd:
        back(os.fchdir, home)
        _refusable(os.fsdecode(order.cwd), os.chdir, order.cwd)
    if order.umask is not None:
        back(os.umask, os.umask(order.umask))
    if order.cpus and hasattr(os, "sched_setaffinity"):
        back(os.sched_setaffinity, 0, os.sched_getaffinity(0))
        _refusable(f"CPUs {order.cpus}", os.sched_setaffinity, 0, order.cpus)
    for name, soft in order.limits.items():
        which = getattr(resource, f"RLIMIT_{name.upper()}", None)
        if which is None:
            raise OSError(EINVAL, f"limit {name}: no such limit")
        before = resource.getrlimit(which)
        if soft == before[0]:
            continue
        back(resource.setrlimit, which, before)
        _refusable(f"limit {name}", resource.setrlimit, which, (_capped(soft, before[1]), before[1]))


def _capped(soft: int, hard: int) -> int:
    if hard == resource.RLIM_INFINITY:
        return soft
    return hard if soft == resource.RLIM_INFINITY else min(soft, hard)


def _refusable(what: str, do: Callable[..., object], *args: object) -> None:
    """Does it, or raises an OSError that names what could not be done."""
    try:
        do(*args)
    except OSError as error:
        raise OSError(error.errno, f"{what}: {error.strerror}") from None
    except (ValueError, OverflowError) as error:
        raise OSError(EINVAL, f"{what}: {error}") from None


def _spawn(order: Start, files: list[tuple[int, int, int]]) -> int:
    """Tries each place where the command may be, as execvp(3) does."""
    name, failure = order.argv[0], ENOENT
    if b"\0" in name:
        raise OSError(EINVAL, "embedded null byte in the command's name")
    for path in _candidates(name, order.env.get(b"PATH", PATH)):
        try:
            return _spawn_path(path, order, files)
        except OSError as error:
            if error.errno not in (ENOENT, ENOTDIR, EACCES) or b"/" in name:
                failure = error.errno or ENOENT
                break
            failure = EACCES if error.errno == EACCES else failure
        except ValueError as error:
            raise OSError(EINVAL, f"{os.fsdecode(name)}: {error}") from None
    raise OSError(failure, f"{os.fsdecode(name)}: {os.strerror(failure)}")


def _candidates(name: bytes, path: bytes) -> Iterator[bytes]:
    if b"/" in name:
        yield name
    elif name:
        for directory in path.split(b":"):
            candidate = os.path.join(directory or b".", name)
            if os.path.exists(candidate):
                yield candidate


def _spawn_path(path: bytes, order: Start, files: list[tuple[int, int, int]]) -> int:
    """Nothing of the keeper is passed on: no handler, no mask, no descriptor that was not asked for."""
    spawn = partial(os.posix_spawn, file_actions=files, setsigmask=(), setsigdef=SIGNALS)
    if order.group:
        spawn.keywords["setpgroup"] = 0
    try:
        return spawn(path, order.argv, order.env)
    except OSError as error:
        if error.errno != ENOEXEC:
            raise
    # a script that does not say whose: the shell's, as execvp(3) has it
    return spawn(b"/bin/sh", [b"sh", path, *order.argv[1:]], order.env)
