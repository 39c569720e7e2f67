"""Directories: as mappings, and walked."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Self

from flux.base.treeobj import Treeobj
from flux.constants import FLUX_KVS_READDIR
from flux.kvs.reading import exists, get_key_direct, lookup
from flux.kvs.where import prefix
from flux.kvs.writing import KVSTxn

if TYPE_CHECKING:
    from flux.core.handle import Flux
    from flux.rpc import RPC


def get(flux_handle: "Flux", key: str, namespace: str | None = None, _kvstxn: "KVSTxn | None" = None) -> Any:
    """What is at `key`: a value of JSON, else text, else bytes, None for an empty one; a KVSDir for a directory."""
    try:
        return get_key_direct(flux_handle, key, namespace)
    except IsADirectoryError:
        return get_dir(flux_handle, key, namespace, _kvstxn)


def get_dir(
    flux_handle: "Flux", key: str = ".", namespace: str | None = None, _kvstxn: "KVSTxn | None" = None
) -> "KVSDir":
    """The directory at `key`."""
    return KVSDir(flux_handle, key, namespace=namespace, _kvstxn=_kvstxn)


class KVSDir:
    """A directory as it was when this was made: iterate over its names, read by index; writing stages changes.

    `commit`, or the end of a `with` block, makes them happen. Subdirectories got by index stage with their parent.
    """

    def __init__(
        self,
        flux_handle: "Flux | None" = None,
        path: str = ".",
        *,
        namespace: str | None = None,
        _kvstxn: KVSTxn | None = None,
    ) -> None:
        if flux_handle is None:
            raise ValueError("flux_handle must be a valid Flux object")
        self.fhdl = flux_handle
        self.path = path
        self.namespace = namespace
        self._path = prefix(path)
        # Keys are staged in full, so that subdirectories can share the transaction.
        self.kvstxn = _kvstxn or KVSTxn(flux_handle, ".", namespace=namespace)
        self.entries: Mapping[str, Treeobj] = lookup(flux_handle, path, FLUX_KVS_READDIR, namespace)["data"]
        """The tree objects in it, by name."""

    # -- what is there ----------------------------------------------------------------------------------------------

    def key_at(self, key: str) -> str:
        """The full key of a name in the directory."""
        return self._path + key

    def exists(self, name: str) -> bool:
        """Whether `name` exists below the directory now."""
        return exists(self.fhdl, self._path + name, self.namespace)

    def isdir(self, name: str) -> bool:
        """Whether `name` is a directory."""
        return self._kind(name) in ("dir", "dirref")

    def issymlink(self, name: str) -> bool:
        """Whether `name` is a symlink."""
        return self._kind(name) == "symlink"

    def _kind(self, name: str) -> str:
        return str(self.entries[name]["type"]) if name in self.entries else ""

    def files(self) -> Iterator[str]:
        """The names that are not directories."""
        return (name for name in self if not self.isdir(name))

    def directories(self) -> Iterator[str]:
        """The names that are directories."""
        return (name for name in self if self.isdir(name))

    def list_all(self) -> tuple[list[str], list[str]]:
        """The names that are not directories, and those that are."""
        return list(self.files()), list(self.directories())

    def get_size(self) -> int:
        """The number of names."""
        return len(self.entries)

    __len__ = get_size

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self.entries))

    def __getitem__(self, key: str) -> Any:
        try:
            return get(self.fhdl, self.key_at(key), self.namespace, _kvstxn=self.kvstxn)
        except OSError:
            raise KeyError(f"{key} not found under directory {self.key_at('')}") from None

    # -- changes ----------------------------------------------------------------------------------------------------

    def __setitem__(self, key: str, value: Any) -> None:
        self.kvstxn.put(self._path + key, value)

    def __delitem__(self, key: str) -> None:
        self.kvstxn.unlink(self._path + key)

    def fill(self, contents: Mapping[str, Any]) -> None:
        """Writes keys and values below the directory."""
        if contents is None:
            raise ValueError("contents must be non-None")
        try:
            for key, value in contents.items():
                self[key] = value
        finally:
            self.commit()

    def mkdir(self, key: str, contents: Mapping[str, Any] | None = None) -> None:
        """Makes a subdirectory, with `contents` if there are any."""
        self.kvstxn.mkdir(self._path + key)
        self.commit()
        if contents is not None:
            KVSDir(self.fhdl, self._path + key, namespace=self.namespace).fill(contents)

    def commit(self, flags: int = 0) -> None:
        """Makes what was staged happen."""
        self.kvstxn.commit(flags)

    def commit_async(self, flags: int = 0) -> "RPC":
        """As `commit`, as a future."""
        return self.kvstxn.commit_async(flags)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.commit()


def join(*args: str) -> str:
    """Joins parts of a key; empty ones do not count."""
    return ".".join(filter(None, args))


def walk(
    directory: str | KVSDir, topdown: bool = False, flux_handle: "Flux | None" = None, namespace: str | None = None
) -> Iterator[tuple[str, Iterator[str], Iterator[str]]]:
    """Walks a directory as os.walk() does: yields (path, directories, files), subdirectories first unless `topdown`."""
    if isinstance(directory, KVSDir):
        return _walk(directory, "", topdown)
    if flux_handle is None:
        raise ValueError("If directory is a key, flux_handle must be specified")
    return _walk(KVSDir(flux_handle, directory, namespace=namespace), "", topdown)


def _walk(kvsdir: KVSDir, path: str, topdown: bool) -> Iterator[tuple[str, Iterator[str], Iterator[str]]]:
    if topdown:
        yield path, kvsdir.directories(), kvsdir.files()
    for name in kvsdir.directories():
        below = get_dir(kvsdir.fhdl, kvsdir.key_at(name), kvsdir.namespace)
        yield from _walk(below, join(path, name), topdown)
    if not topdown:
        yield path, kvsdir.directories(), kvsdir.files()
