"""content-s3 against an object store on this host."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from errno import EACCES, ENOENT
from hashlib import sha1
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from flux.base import treeobj
from flux.base.blobref import BlobHash
from flux.base.config import Config
from flux.modules.content.service import Content
from flux.modules.content_shelf.s3 import ContentS3
from flux.runtime.s3shelf import open_bucket
from flux.service.configuration import Configuration
from flux.testing.host import FakeHost
from tests.session import flux

pytest.importorskip("moto")
HASH = BlobHash("sha1")
Scenario = Callable[[FakeHost], Awaitable[None]]


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    server = import_module("moto.server").ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def table(store: str, tmp_path: Path) -> dict[str, Any]:
    """A configuration with a bucket of its own."""
    keys = tmp_path / "keys.toml"
    keys.write_text('access-key-id = "me"\nsecret-access-key = "secret"\n')
    name = f"flux-{sha1(os.fsencode(tmp_path)).hexdigest()[:20]}"
    session = import_module("boto3.session").Session("me", "secret", region_name="us-east-1")
    client = session.client("s3", endpoint_url=store)
    client.create_bucket(Bucket=name)
    client.close()
    return {"bucket": name, "uri": store, "region": "us-east-1", "prefix": "one/", "credential-file": str(keys)}


def run(scenario: Scenario, table: dict[str, Any]) -> None:
    async def play() -> None:
        configuration = Configuration(Config({"content-s3": table}))
        host = FakeHost(ports={"s3": open_bucket, "config": configuration})
        await host.load(Content)
        try:
            await host.load(ContentS3)
            await scenario(host)
        finally:
            for name in ("content-s3", "content"):
                if name in host.services:
                    await host.unload(name)
        assert not [text for _, _, text in host.logged if "Traceback" in text]

    asyncio.run(play())


async def commit(host: FakeHost, sequence: int) -> str:
    value = b"value %d" % sequence
    blob = treeobj.encode(treeobj.directory({"a": treeobj.valref([HASH.blobref(value)])}))
    ref = HASH.blobref(blob)
    root = {"version": 1, "rootref": ref, "sequence": sequence, "timestamp": 1.5}
    await host.call("content.commit", {"blobs": {HASH.blobref(value): value, ref: blob}, "root": root})
    return ref


async def load(host: FakeHost, key: bytes) -> bytes:
    return (await host.ask("content-backing.load", key)).payload() or b""


def test_blobs_and_roots_are_there_again_after_a_reload(table: dict[str, Any]) -> None:
    async def scenario(host: FakeHost) -> None:
        refs = await asyncio.gather(*(commit(host, number) for number in range(20)))
        keys = [(await host.ask("content-backing.store", blob)).payload() for blob in (b"", b"a" * 3_000_000)]
        assert keys == [sha1(b"").digest(), sha1(b"a" * 3_000_000).digest()]
        await host.unload("content-s3")
        await host.load(ContentS3)
        assert (await host.call("content.roots"))["roots"][0]["rootref"] == refs[-1]
        assert [await load(host, key) for key in keys if key] == [b"", b"a" * 3_000_000]
        await host.call("content-backing.validate", bytes.fromhex(refs[3][5:]))
        assert (await host.refusal("content-backing.load", bytes(20)))[0] == ENOENT
        assert (await host.call("content-s3.stats-get"))["object_count"] == 42

    run(scenario, table)


def test_garbage_is_removed_and_what_others_have_in_the_bucket_stays(table: dict[str, Any]) -> None:
    async def scenario(host: FakeHost) -> None:
        old, new = await commit(host, 1), await commit(host, 2)
        done = [figures async for figures in host.stream("content-backing.gc")][-1]
        assert (done["phase"], done["swept"]) == ("done", 2)
        assert (await host.refusal("content-backing.load", bytes.fromhex(old[5:])))[0] == ENOENT
        assert await load(host, bytes.fromhex(new[5:]))

    async def other(host: FakeHost) -> None:
        assert await load(host, bytes.fromhex(others[0][5:]))

    async def first(host: FakeHost) -> None:
        others.append(await commit(host, 1))

    others: list[str] = []
    run(first, table | {"prefix": "two/"})
    run(scenario, table)
    run(other, table | {"prefix": "two/"})


async def nothing(host: FakeHost) -> None:
    pass


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"bucket": "nosuch"}, r"s3://nosuch/one: there is no such bucket"),
        ({"bucket": ""}, r"content-s3\.bucket: content-s3 needs the name of a bucket"),
        ({"buckets": 1}, r"content-s3\.buckets: unknown key"),
        ({"uri": "http://127.0.0.1:1"}, r"s3://flux-\w+/one: Could not connect to the endpoint URL"),
        ({"uri": "nonsense"}, r"s3://flux-\w+/one: Invalid endpoint: nonsense"),
        ({"credential-file": "/nonexistent"}, r"/nonexistent: No such file or directory"),
        ({"credential-file": "/dev/null"}, r"/dev/null: there is no access-key-id"),
    ],
)
def test_what_cannot_be_reached_is_one_line_that_names_it(
    table: dict[str, Any], change: dict[str, Any], said: str
) -> None:
    with pytest.raises(OSError, match=said) as caught:
        run(nothing, table | change)
    assert "\n" not in str(caught.value.strerror) and caught.value.errno != EACCES


def test_a_session_finds_what_the_last_one_has_left(table: dict[str, Any], tmp_path: Path) -> None:
    lines = [f'{name} = "{value}"' for name, value in table.items()]
    (tmp_path / "s3.toml").write_text("\n".join(["[content-s3]", *lines, ""]))
    words = ("start", "-c", str(tmp_path / "s3.toml"), "-Scontent.backing-module=content-s3")
    done = flux(*words, "flux", "kvs", "put", "a.b=1")
    assert (done.code, done.err) == (0, "")
    assert flux(*words, "flux", "kvs", "get", "a.b").out == "1\n"
