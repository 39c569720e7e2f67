"""Whatever is sent to the key-value store and to the content store: no bug of ours shows, and nothing is lost."""

import asyncio
import inspect
import json
from errno import EIO, EPROTO
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flux.base import treeobj
from flux.base.blobref import BlobHash
from flux.modules.content.service import Content
from flux.modules.content_memory.service import ContentMemory
from flux.modules.kvs.service import KVS
from flux.modules.kvs_watch.service import KVSWatch
from flux.service import Service
from flux.testing.instance import SimInstance, simulate
from flux.wire.message import ANY, OWNER, STREAMING, USER

MODULES = ("content", "content-memory", "kvs", "kvs-watch")
SERVICES: tuple[type[Service], ...] = (KVS, KVSWatch, Content, ContentMemory)
TOPICS = {topic: handler for service in SERVICES for topic, handler in service.topics.items()}
HARMFUL = {
    "content.register-backing",
    "content.unregister-backing",
    "kvs.namespace-remove",
    "content-backing.root-remove",
}
"""What the owner may do, and after which a store has lost something as it should."""
KEPT = b"what was there before"
EMPTY = BlobHash("sha1").blobref(treeobj.encode(treeobj.directory()))

anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**64), 2**64) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
refs = st.sampled_from([EMPTY, "sha1-" + 40 * "0", "sha1-xyz", "sha256-" + 64 * "1", "", "a"])
data = st.one_of(
    anything,
    st.sampled_from(
        ["", "MQ==", "M", "\u00e9", {"target": "a"}, {"target": "a", "namespace": "primary"}, {"target": 1}]
    ),
    st.lists(refs, max_size=3),
)
kinds = st.sampled_from(["val", "valref", "dir", "dirref", "symlink", "hamt"])
objects = st.fixed_dictionaries({"ver": st.sampled_from([1, 1, 1, 2, "1"]), "type": kinds, "data": data})
trees = st.recursive(
    objects,
    lambda inner: st.dictionaries(st.text(max_size=3), inner, max_size=3).map(treeobj.directory),
    max_leaves=5,
)
keys = st.sampled_from(
    ["a", "a.b", "l", "l.l", ".", "", "..", "a..b", ".a.", "\u00e9", "a" * 300, "x.y.z", "\0", "\ud800"]
)
operations = st.one_of(
    anything,
    st.fixed_dictionaries(
        {"key": keys | anything, "flags": st.sampled_from([0, 32, 1 << 20, -1]), "dirent": trees | st.none()},
        optional={"more": anything},
    ),
)
PLAUSIBLE: dict[str, st.SearchStrategy[Any]] = {
    "key": keys,
    "namespace": st.sampled_from(["primary", "other", "", "a" * 300, "a.b", "\n"]),
    "flags": st.integers(0, 1 << 12) | st.sampled_from([-1, 1 << 31, 1 << 40]),
    "ops": st.lists(operations, max_size=3),
    "rootdir": trees,
    "rootref": refs,
    "rootseq": st.integers(-2, 3),
    "name": st.sampled_from(["f", "", "x" * 300]),
    "nprocs": st.sampled_from([1, 0, -1, 2]),
    "value": st.fixed_dictionaries({"version": anything, "rootref": refs, "sequence": anything, "timestamp": anything}),
    "root": st.fixed_dictionaries({"rootref": refs, "sequence": anything, "namespace": keys}),
    "blobs": st.dictionaries(refs, st.sampled_from(["", "MQ==", 1]), max_size=2),
}


@st.composite
def requests(draw: st.DrawFn, topics: list[str]) -> tuple[str, Any, bool]:
    """A topic, a payload that may be nearly right, and whether many answers are taken."""
    topic = draw(st.sampled_from(topics))
    names = [name for name in inspect.signature(TOPICS[topic].function).parameters if name not in ("self", "call")]
    if draw(st.integers(0, 5)) == 0:
        return topic, draw(st.binary(max_size=30) | anything.filter(lambda body: isinstance(body, dict))), False
    body = {name: draw(PLAUSIBLE.get(name, anything) if draw(st.integers(0, 7)) else anything) for name in names}
    for name in names:
        if draw(st.integers(0, 9)) == 0:
            del body[name]
    return topic, body, draw(st.booleans())


async def keep(flux: SimInstance) -> None:
    """Puts something that nobody may lose."""
    put = {"key": "kept", "flags": 0, "dirent": treeobj.val(KEPT)}
    await flux[0].rpc("kvs.commit", {"ops": [put], "namespace": "primary", "flags": 0})


async def check(flux: SimInstance) -> None:
    """It is there, on both ranks, and nothing has gone wrong behind the scenes."""
    for rank in (0, 1):
        await flux[rank].rpc("kvs.dropcache")
        found = await flux[rank].rpc("kvs.lookup", {"key": "kept", "flags": 0, "namespace": "primary"})
        assert treeobj.value_of(found["val"]) == KEPT
    bugs = [line for line in flux.stderr if "Traceback" in line]
    assert not bugs, "\n".join(flux.stderr[-30:])


def encoded(body: Any) -> bytes:
    """A payload as it comes by the wire."""
    return body if isinstance(body, bytes) else json.dumps(body).encode()


def play(asked: list[tuple[str, Any, bool]], role: int) -> None:
    """Sends it all, to the broker of rank 1; then the store is as it should be, on both."""

    async def scenario(flux: SimInstance) -> None:
        await keep(flux)
        wrong = list[str]()
        face = flux[1].client(4242, role) if role == USER else flux[1].client()

        def told(response: Any) -> None:
            if response.errnum == EIO and "dmesg" in response.text():
                wrong.append(f"{response.topic}: {response.text()}")

        for topic, body, streaming in asked:
            nodeid = 0 if topic.startswith("content-backing") else ANY
            face.send_request(topic, encoded(body), told, nodeid=nodeid, flags=STREAMING * streaming)
        await asyncio.sleep(5)
        flux[1].leave(face)
        await asyncio.sleep(5)
        assert not wrong, wrong
        flux.check_traces()
        await check(flux)

    simulate(scenario, 2, modules=MODULES)


owners = st.lists(requests(sorted(set(TOPICS) - HARMFUL)), min_size=1, max_size=12)
guests = st.lists(requests(sorted(TOPICS)), min_size=1, max_size=12)
slow = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@slow
@given(guests)
def test_of_a_guest(asked: list[tuple[str, Any, bool]]) -> None:
    play(asked, USER)


@slow
@given(owners)
def test_of_the_owner(asked: list[tuple[str, Any, bool]]) -> None:
    play(asked, OWNER)


@slow
@given(st.binary(max_size=60) | trees.map(treeobj.encode), st.sampled_from(["a", "a.b"]), st.integers(0, 63))
def test_a_directory_that_is_none_is_refused(blob: bytes, key: str, flags: int) -> None:
    """A blob that a reference calls a directory may be anything."""

    async def scenario(flux: SimInstance) -> None:
        face = flux[1].client()
        digest = (await face.ask("content.store", blob)).payload()
        assert digest is not None
        rootdir = treeobj.dirref(f"sha1-{digest.hex()}")
        within = {"key": "there.x", "flags": 0, "dirent": treeobj.val(b"1")}
        there = {"key": "there", "flags": 0, "dirent": rootdir}
        asked = [
            ("kvs.lookup", {"key": key, "flags": flags, "rootdir": rootdir}),
            ("kvs.lookup-plus", {"key": key, "flags": flags, "rootdir": rootdir}),
            ("kvs.commit", {"ops": [there], "namespace": "primary", "flags": 0}),
            ("kvs.lookup", {"key": f"there.{key}", "flags": flags, "namespace": "primary"}),
            ("kvs.commit", {"ops": [within], "namespace": "primary", "flags": 0}),
            ("kvs-watch.lookup", {"key": f"there.{key}", "flags": 0, "namespace": "primary"}),
        ]
        await keep(flux)
        for topic, body in asked:
            try:
                await face.ask(topic, body)
            except OSError as error:
                assert "dmesg" not in str(error), f"{topic}: {error}"
        await check(flux)

    simulate(scenario, 2, modules=MODULES)


def test_every_topic_says_what_it_lacks() -> None:
    async def scenario(flux: SimInstance) -> None:
        for topic, handler in TOPICS.items():
            taken = [p for p in inspect.signature(handler.function).parameters.values() if p.kind is p.KEYWORD_ONLY]
            needed = [p for p in taken if p.default is p.empty and p.name != "payload"]
            if topic in HARMFUL or not needed:
                continue
            with pytest.raises(OSError, match=r"bad payload|streaming") as caught:
                await flux[0].rpc(topic, {})
            assert caught.value.errno == EPROTO

    simulate(scenario, 1, modules=MODULES)
