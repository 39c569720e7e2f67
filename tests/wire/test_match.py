"""Which messages somebody wants."""

import pytest

from flux.wire.match import EVENT, REQUEST, RESPONSE, Match
from flux.wire.message import Control, Event, Message, Request, Response


@pytest.mark.parametrize(
    ("glob", "topic", "wanted"),
    [
        (None, "a.b", True),
        ("*", "a.b", True),
        ("a.b", "a.b", True),
        ("a.b", "a.bc", False),
        ("a.*", "a.b.c", True),
        ("a.*", "ab", False),
        ("*.b", "a.b", True),
        ("a.?", "a.b", True),
        ("a.[bc]", "a.d", False),
    ],
)
def test_topics_match_shell_patterns(glob: str | None, topic: str, wanted: bool) -> None:
    assert Match(glob=glob).accepts(Request(topic=topic)) is wanted


@pytest.mark.parametrize(
    ("mask", "wanted"),
    [(REQUEST, [True, False, False, False]), (RESPONSE | EVENT, [False, True, True, False]), (0, [True] * 4)],
)
def test_types_match_a_mask_and_no_mask_is_all(mask: int, wanted: list[bool]) -> None:
    messages: list[Message] = [Request(topic="a"), Response(topic="a"), Event(topic="a"), Control()]
    assert [Match(mask).accepts(msg) for msg in messages] == wanted


def test_a_matchtag_matches_one_answer() -> None:
    match = Match(matchtag=3)
    assert match.accepts(Response(topic="a", matchtag=3))
    assert not match.accepts(Response(topic="a", matchtag=4))
    assert not match.accepts(Request(topic="a", matchtag=3))
