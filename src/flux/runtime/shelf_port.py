"""What a shelf is to who keeps something on it: blobs by name, each of them there as a whole or not at all."""

from typing import NamedTuple, Protocol


class Shelf(Protocol):
    """Blobs by name. All of it is done in threads, several at a time; OSError says where, and what is wrong."""

    path: str

    async def load(self, name: str) -> bytes: ...  # ENOENT
    async def store(self, name: str, blob: bytes) -> None: ...  # what has the name of its content is written once
    async def replace(self, name: str, blob: bytes) -> None: ...  # by another of the same name
    async def remove(self, name: str) -> None: ...  # also one that is not there
    async def names(self) -> dict[str, int]: ...  # of all that is there, and how large it is
    async def sync(self) -> None: ...  # what was stored survives the end of the machine, too
    async def close(self) -> None: ...


class OpenFiles(Protocol):
    """Opens a directory of files, or makes one."""

    async def __call__(self, path: str) -> Shelf: ...


class Bucket(NamedTuple):
    """Where objects are kept, in a store that speaks as Amazon's S3 does."""

    name: str
    prefix: str = ""
    """What the names of all objects begin with."""
    uri: str = ""
    """Of another store than Amazon's."""
    region: str = ""
    credential_file: str = ""
    """TOML with access-key-id and secret-access-key; without one they are from where boto3 finds them."""
    virtual_host_style: bool = False
    """Whether the bucket is a part of the host's name, and not of the path."""
    threads: int = 16


class OpenBucket(Protocol):
    """Opens a bucket, which has to be there."""

    async def __call__(self, bucket: Bucket) -> Shelf: ...
