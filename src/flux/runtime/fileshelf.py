"""A shelf that is a directory, with a file for each blob. Each appears by a rename: half a file has no name."""

import os
from contextlib import suppress
from errno import ENOENT
from threading import get_ident

from flux.runtime.shelf import Threads

THREADS = 4
NEW = ".new-"
"""What the name of a file begins with that is being written."""


async def open_files(path: str) -> Threads:
    """The OpenFiles of `shelf_port`."""
    made = Threads(Files(path), THREADS)
    await made.open()
    return made


class Files:
    """A blocking shelf. A file outlives all processes when it has its name; `sync` is for the end of the machine."""

    def __init__(self, path: str) -> None:
        self.path = path

    def open(self) -> None:
        """Makes the directory, or takes away what was not finished."""
        try:
            with suppress(FileExistsError):
                os.mkdir(self.path, 0o700)
            for name in os.listdir(self.path):
                if name.startswith(NEW):
                    os.unlink(f"{self.path}/{name}")
        except OSError as error:
            raise self._refusal(error) from None

    def load(self, name: str) -> bytes:
        """Reads a file."""
        try:
            with open(f"{self.path}/{name}", "rb") as file:
                return file.read()
        except FileNotFoundError:
            raise OSError(ENOENT, f"no blob {name}") from None
        except OSError as error:
            raise self._refusal(error) from None

    def store(self, name: str, blob: bytes) -> None:
        """Writes a file, unless it is there."""
        try:
            if os.path.getsize(f"{self.path}/{name}") == len(blob):
                return
        except OSError:
            pass  # then writing says what is wrong
        self.replace(name, blob)

    def replace(self, name: str, blob: bytes) -> None:
        """Writes a file."""
        new = f"{self.path}/{NEW}{get_ident()}"
        try:
            with open(new, "wb") as file:
                file.write(blob)
            os.rename(new, f"{self.path}/{name}")
        except OSError as error:
            with suppress(OSError):
                os.unlink(new)
            raise self._refusal(error) from None

    def remove(self, name: str) -> None:
        """Removes a file."""
        try:
            os.unlink(f"{self.path}/{name}")
        except FileNotFoundError:
            pass
        except OSError as error:
            raise self._refusal(error) from None

    def names(self) -> dict[str, int]:
        """The files, and how large they are."""
        found = {}
        try:
            with os.scandir(self.path) as entries:
                for entry in entries:
                    if not entry.name.startswith(NEW):
                        with suppress(FileNotFoundError):
                            found[entry.name] = entry.stat().st_size
        except OSError as error:
            raise self._refusal(error) from None
        return found

    def sync(self) -> None:
        """Has the disk take all that was written."""
        os.sync()

    def close(self) -> None:
        """There is nothing to close."""

    def _refusal(self, error: OSError) -> OSError:
        return OSError(error.errno, f"{self.path}: {error.strerror}")
