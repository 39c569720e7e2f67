"""Messages on a byte stream, however the bytes are cut."""

import itertools
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.wire.framing import Unpacker, join, pack, split
from flux.wire.message import BadMessage, Event, Message, Request, Response

PREFACE = pack(Event(topic="a"))[:4]
TRANSCRIPTS = Path(__file__).parents[1] / "vectors" / "transcripts"

messages = st.lists(
    st.builds(Request, topic=st.text("abc.", min_size=1), data=st.none() | st.binary(), route=st.just((b"me",)))
    | st.builds(Response, topic=st.just("a"), errnum=st.integers(0, 200), data=st.binary(min_size=250, max_size=260))
    | st.builds(Event, topic=st.just("b"), sequence=st.integers(0, 9)),
    max_size=6,
)


@given(st.lists(st.binary(max_size=600)))
def test_frames_are_joined_and_split(frames: list[bytes]) -> None:
    assert split(join(frames)) == frames


@given(messages, st.lists(st.integers(0, 2000)))
def test_messages_arrive_however_the_bytes_are_cut(sent: list[Message], cuts: list[int]) -> None:
    stream = b"".join(map(pack, sent))
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    unpacker = Unpacker()
    got = [msg for at, to in itertools.pairwise(edges) for msg in unpacker.feed(stream[at:to])]
    assert got == sent


@given(messages)
def test_messages_arrive_one_byte_at_a_time(sent: list[Message]) -> None:
    unpacker = Unpacker()
    assert [msg for byte in b"".join(map(pack, sent)) for msg in unpacker.feed(bytes([byte]))] == sent


@given(st.lists(st.binary()), st.booleans())
def test_no_bytes_raise_anything_but_bad_message(pieces: list[bytes], framed: bool) -> None:
    unpacker = Unpacker()
    try:
        for piece in pieces:
            unpacker.feed(PREFACE + len(piece).to_bytes(4, "big") + piece if framed else piece)
    except BadMessage:
        pass


@pytest.mark.parametrize("path", sorted(TRANSCRIPTS.glob("*.json")), ids=lambda p: p.stem)
def test_a_recorded_stream_is_read_whole(path: Path) -> None:
    for side in ("broker", "client"):
        chunks = [bytes.fromhex(r["hex"]) for r in json.loads(path.read_text())["stream"] if r["from"] == side]
        packed = [chunk for chunk in chunks if chunk != b"\0"]
        read = Unpacker().feed(b"".join(packed))
        assert len(read) == len(packed)
        assert [pack(msg) for msg in read if not isinstance(msg, Event)] == [
            chunk for chunk, msg in zip(packed, read, strict=True) if not isinstance(msg, Event)
        ]


def test_a_message_over_the_limit_is_refused_before_it_arrives() -> None:
    with pytest.raises(BadMessage, match="over the limit of 100"):
        Unpacker(limit=100).feed(PREFACE + (101).to_bytes(4, "big"))


def test_a_stream_without_the_magic_is_refused() -> None:
    with pytest.raises(BadMessage, match="framing"):
        Unpacker().feed(b"GET / HTTP/1.1\r\n")


@pytest.mark.parametrize("chunk", [b"\x05abc", b"\xff\0\0", b"\xff\0\0\0\x09abc"])
def test_frames_that_are_cut_off_are_refused(chunk: bytes) -> None:
    with pytest.raises(BadMessage):
        split(chunk)


def test_a_message_of_countless_empty_frames_is_refused_before_they_are_made() -> None:
    assert len(split(bytes(1024))) == 1024
    with pytest.raises(BadMessage, match="more than 1024 frames"):
        split(bytes(1025))
