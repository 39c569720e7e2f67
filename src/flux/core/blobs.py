"""Blobs of the content store, many requests at a time (RFC 10)."""

from collections import OrderedDict, deque
from typing import TYPE_CHECKING

from flux.base.blobref import digest
from flux.constants import FLUX_NODEID_ANY

if TYPE_CHECKING:
    from flux.core.handle import Flux
    from flux.rpc import RPC


class Blobs:
    """Loads and stores, with up to `most` requests under way; `bypass` goes past the caches to the backing store."""

    def __init__(self, handle: "Flux", *, most: int = 16, bypass: bool = False) -> None:
        self._handle, self._most = handle, most
        self._service, self._where = ("content-backing", 0) if bypass else ("content", FLUX_NODEID_ANY)
        self._loading: OrderedDict[str, RPC] = OrderedDict()
        self._storing: deque[RPC] = deque()

    def want(self, ref: str) -> bool:
        """Begins to load a blob that will be got soon, if not too many are on their way."""
        if ref not in self._loading and len(self._loading) < self._most:
            self._loading[ref] = self._ask(ref)
        return ref in self._loading

    def get(self, ref: str) -> bytes:
        """A blob. OSError names it: ENOENT if there is none, EINVAL if that is no blobref."""
        asked = self._loading.pop(ref, None) or self._ask(ref)
        try:
            return asked.get_bytes()
        except OSError as error:
            raise OSError(error.errno, error.strerror, ref) from None

    def store(self, blob: bytes) -> None:
        """Begins to store a blob. OSError says why an earlier one could not be."""
        while len(self._storing) >= self._most:
            self._storing.popleft().get_bytes()
        self._storing.append(self._handle.rpc(f"{self._service}.store", blob, nodeid=self._where))

    def flush(self) -> bytes:
        """Returns the digest of the last blob when all are stored, b"" if there were none."""
        last = b""
        while self._storing:
            last = self._storing.popleft().get_bytes()
        return last

    def _ask(self, ref: str) -> "RPC":
        return self._handle.rpc(f"{self._service}.load", digest(ref), nodeid=self._where)
