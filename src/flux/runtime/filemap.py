"""Files whose pieces are blobs without being copied: hashed once, read when a piece is asked for. Done in threads."""

import os
import stat
from asyncio import get_running_loop
from collections.abc import Callable
from errno import EINVAL

Piece = tuple[bytes, int, int]
"""Digest, offset, size."""


async def hash_pieces(path: str, size: int, digest: Callable[[bytes], bytes]) -> list[Piece]:
    """The pieces of a file, each of `size` bytes or what is left. OSError(EINVAL) for what is no file, or empty."""
    return await get_running_loop().run_in_executor(None, _hash, path, size, digest)


async def read_piece(path: str, offset: int, size: int) -> bytes:
    """What a file has there now; less if it has become shorter."""
    return await get_running_loop().run_in_executor(None, _read, path, offset, size)


def _hash(path: str, size: int, digest: Callable[[bytes], bytes]) -> list[Piece]:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        symlink = os.path.islink(path)
        why = "not suitable for mapping" if symlink else error.strerror
        raise OSError(EINVAL if symlink else error.errno, f"{path}: {why}") from None
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or not status.st_size:
            raise OSError(EINVAL, f"{path}: not suitable for mapping")
        pieces: list[Piece] = []
        at = 0
        while data := _whole(fd, at, size):
            pieces.append((digest(data), at, len(data)))
            at += len(data)
        return pieces
    finally:
        os.close(fd)


def _read(path: str, offset: int, size: int) -> bytes:
    try:
        with open(path, "rb", buffering=0) as file:
            return _whole(file.fileno(), offset, size)
    except OSError as error:
        raise OSError(error.errno, f"{path}: {error.strerror}") from None


def _whole(fd: int, offset: int, size: int) -> bytes:
    """All of it that there is; a single read gives 2 GB at most."""
    found: list[bytes] = []
    while size and (data := os.pread(fd, size, offset)):
        found.append(data)
        offset, size = offset + len(data), size - len(data)
    return found[0] if len(found) == 1 else b"".join(found)
