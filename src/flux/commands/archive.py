"""Archives of keys and values, as tar or zip files: what `flux dump` writes and `flux restore` reads."""

import os
import stat
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EINVAL, EIO
from io import BytesIO, RawIOBase
from lzma import LZMAError
from time import gmtime
from typing import IO, Any, NamedTuple, Protocol

MODE = 0o644
TAR = {
    ".tar": "",
    ".tgz": "gz",
    ".tar.gz": "gz",
    ".tar.bz2": "bz2",
    ".tbz2": "bz2",
    ".tar.xz": "xz",
    ".txz": "xz",
}


class Entry(NamedTuple):
    """One key: its path, with a slash between names, and a value or the target of a link."""

    path: str
    data: bytes
    link: bool = False
    size: int = 0
    """Bytes of a value that was too large to be read; then `data` is empty."""


class Writer(Protocol):
    """Takes entries."""

    def add(self, entry: Entry) -> None: ...
    def close(self) -> None: ...


@contextmanager
def damaged(path: str) -> Iterator[None]:
    """What is wrong with an archive is said in one line that names it."""
    try:
        yield
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, LZMAError, zlib.error) as error:
        reason = str(error).partition(":")[0] or "it ends too early"
        raise OSError(EINVAL, f"{path}: not an archive that can be read: {reason}") from None


def writer(path: str, when: float) -> Writer:
    """Begins an archive of the kind that its name says; "-" is a plain tar on standard output."""
    if path == "-":
        return _Tar(tarfile.open(fileobj=_Out(), mode="w", format=tarfile.PAX_FORMAT), when)
    if path.endswith(".zip"):
        return _Zip(zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED), when)
    packed = next((how for ending, how in TAR.items() if path.endswith(ending)), None)
    if packed is None:
        raise OSError(EINVAL, f"{path}: no such kind of archive: there are .tar, .tgz, .tar.bz2, .tar.xz, .zip")
    return _Tar(tarfile.open(path, f"w:{packed}", format=tarfile.PAX_FORMAT), when)  # type: ignore[call-overload]


class _Out(RawIOBase):
    """Standard output, of which tarfile only wants to know how far it is."""

    def __init__(self) -> None:
        super().__init__()
        self._at = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._at += len(data)
        return sys.stdout.buffer.write(data)

    def tell(self) -> int:
        return self._at

    def flush(self) -> None:
        sys.stdout.buffer.flush()


class _Tar:
    def __init__(self, file: tarfile.TarFile, when: float) -> None:
        self._file, self._when = file, when

    def add(self, entry: Entry) -> None:
        info = tarfile.TarInfo(entry.path)
        info.mtime, info.mode, info.uid, info.gid = int(self._when), MODE, os.getuid(), os.getgid()
        if entry.link:
            info.type, info.linkname = tarfile.SYMTYPE, os.fsdecode(entry.data)
        else:
            info.size = len(entry.data)
        self._file.addfile(info, None if entry.link else BytesIO(entry.data))

    def close(self) -> None:
        self._file.close()


class _Zip:
    def __init__(self, file: zipfile.ZipFile, when: float) -> None:
        self._file, self._when = file, gmtime(when)[:6]

    def add(self, entry: Entry) -> None:
        info = zipfile.ZipInfo(entry.path, self._when)
        info.compress_type = zipfile.ZIP_DEFLATED
        info.external_attr = ((stat.S_IFLNK if entry.link else stat.S_IFREG) | MODE) << 16
        self._file.writestr(info, entry.data)

    def close(self) -> None:
        self._file.close()


def read(path: str, limit: int) -> Iterator[Entry]:
    """The entries of an archive, of whatever kind it is; values over `limit` bytes (0: none) come without data."""
    if path == "-":
        with tarfile.open(fileobj=sys.stdin.buffer, mode="r|*") as stream:
            yield from _of_tar(stream, limit)
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as zipped:
            yield from _of_zip(zipped, limit)
    else:
        with tarfile.open(path, "r:*") as file:
            yield from _of_tar(file, limit)


def _of_tar(file: tarfile.TarFile, limit: int) -> Iterator[Entry]:
    for info in file:
        if info.issym():
            yield Entry(info.name, os.fsencode(info.linkname), link=True)
        elif info.isfile():
            large = bool(limit) and info.size > limit
            yield Entry(info.name, b"" if large else _all(file.extractfile(info)), size=info.size if large else 0)


def _of_zip(file: zipfile.ZipFile, limit: int) -> Iterator[Entry]:
    for info in file.infolist():
        if stat.S_ISLNK(info.external_attr >> 16):
            yield Entry(info.filename, file.read(info), link=True)
        elif not info.is_dir():
            large = bool(limit) and info.file_size > limit
            size = info.file_size if large else 0
            yield Entry(info.filename, b"" if large else file.read(info), size=size)


def _all(stream: IO[bytes] | None) -> bytes:
    if stream is None:
        raise OSError(EIO, "an entry of the archive has no data")
    return stream.read()
