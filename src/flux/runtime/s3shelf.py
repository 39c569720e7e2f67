"""A shelf that is a bucket of objects, by boto3, which is there only where somebody wants it."""

import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EACCES, EINVAL, EIO, ENOENT, ENOPKG
from importlib import import_module
from typing import Any

from flux.runtime.shelf import Threads
from flux.runtime.shelf_port import Bucket

CONNECT, READ = 10, 60
"""Seconds until an attempt is given up."""
ATTEMPTS = 4
KEYS = ("access-key-id", "secret-access-key")
MISSING = ("404", "NoSuchKey", "NoSuchBucket", "NotFound")
DENIED = ("403", "AccessDenied", "Forbidden", "InvalidAccessKeyId", "SignatureDoesNotMatch")


async def open_bucket(bucket: Bucket) -> Threads:
    """The OpenBucket of `shelf_port`."""
    made = Threads(Objects(bucket), bucket.threads)
    await made.open()
    return made


class Objects:
    """A blocking shelf. What was stored is safe when the store says so."""

    def __init__(self, bucket: Bucket) -> None:
        self.path = f"s3://{bucket.name}/{bucket.prefix}".rstrip("/")
        self._bucket = bucket
        self._client: Any = None

    def open(self) -> None:
        """Looks whether there is such a bucket."""
        try:
            boto3, botocore = import_module("boto3"), import_module("botocore.config")
        except ImportError:
            raise OSError(ENOPKG, "content-s3 needs boto3: pip install 'fluxrm[s3]'") from None
        config = botocore.Config(
            connect_timeout=CONNECT,
            read_timeout=READ,
            retries={"mode": "standard", "max_attempts": ATTEMPTS},
            max_pool_connections=self._bucket.threads,
            request_checksum_calculation="when_required",  # others than Amazon do not know the newer ones
            response_checksum_validation="when_required",
            s3={"addressing_style": "virtual" if self._bucket.virtual_host_style else "path"},
        )
        with self._asked():
            session = boto3.session.Session(**self._keys(), region_name=self._bucket.region or None)
            self._client = session.client("s3", endpoint_url=self._bucket.uri or None, config=config)
            try:
                self._client.head_bucket(Bucket=self._bucket.name)
            except self._client.exceptions.ClientError as error:
                if error.response["Error"]["Code"] in MISSING:
                    raise OSError(ENOENT, f"{self.path}: there is no such bucket") from None
                raise

    def _keys(self) -> dict[str, str]:
        path = self._bucket.credential_file
        if not path:
            return {}
        try:
            with open(path, "rb") as file:
                found = tomllib.load(file)
            return {f"aws_{name.replace('-', '_')}": str(found[name]) for name in KEYS}
        except KeyError as error:
            raise OSError(EINVAL, f"{path}: there is no {error.args[0]}") from None
        except tomllib.TOMLDecodeError as error:
            raise OSError(EINVAL, f"{path}: {error}") from None
        except OSError as error:
            raise OSError(error.errno, f"{path}: {error.strerror}") from None

    def load(self, name: str) -> bytes:
        """Gets an object."""
        with self._asked():
            found: bytes = self._client.get_object(**self._object(name))["Body"].read()
        return found

    def store(self, name: str, blob: bytes) -> None:
        """Puts an object."""
        self.replace(name, blob)

    def replace(self, name: str, blob: bytes) -> None:
        """Puts an object."""
        with self._asked():
            self._client.put_object(**self._object(name), Body=blob)

    def remove(self, name: str) -> None:
        """Deletes an object."""
        with self._asked():
            self._client.delete_object(**self._object(name))

    def names(self) -> dict[str, int]:
        """Lists the objects."""
        prefix, found = self._bucket.prefix, {}
        with self._asked():
            pages = self._client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self._bucket.name, Prefix=prefix):
                for entry in page.get("Contents", ()):
                    found[entry["Key"].removeprefix(prefix)] = entry["Size"]
        return found

    def sync(self) -> None:
        """There is nothing to wait for."""

    def close(self) -> None:
        """Lets the connections go."""
        if self._client is not None:
            self._client.close()

    def _object(self, name: str) -> dict[str, str]:
        return {"Bucket": self._bucket.name, "Key": f"{self._bucket.prefix}{name}"}

    @contextmanager
    def _asked(self) -> Iterator[None]:
        """What the store refuses, and what keeps us from asking it, is an OSError."""
        try:
            yield
        except OSError:
            raise
        except Exception as error:
            said = getattr(error, "response", {}).get("Error", {})
            code = str(said.get("Code", ""))
            errnum = ENOENT if code in MISSING else EACCES if code in DENIED else EIO
            raise OSError(errnum, f"{self.path}: {said.get('Message') or code or _one_line(error)}") from None


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
