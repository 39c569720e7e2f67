"""Output in whole lines, numbered, with a window."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from flux.base.iodata import decode
from flux.shell.output import LINE_MAX, Chunk, Output


def contexts(output: Output, *writes: tuple[int, str, bytes]) -> list[dict[str, Any]]:
    return [chunk.context for write in writes for chunk in output.take(*write)]


def test_stdout_goes_line_by_line_and_stderr_as_it_comes() -> None:
    output = Output(1 << 20)
    assert contexts(output, (0, "stdout", b"one\ntw"), (0, "stderr", b"er"), (0, "stdout", b"o\n\nthr")) == [
        {"stream": "stdout", "rank": "0", "data": "one\n"},
        {"stream": "stderr", "rank": "0", "data": "er"},
        {"stream": "stdout", "rank": "0", "data": "two\n\n"},
    ]


def test_the_last_line_needs_no_newline_and_gets_none() -> None:
    assert contexts(Output(1 << 20), (3, "stdout", b"a\nb"), (3, "stdout", b"")) == [
        {"stream": "stdout", "rank": "3", "data": "a\n"},
        {"stream": "stdout", "rank": "3", "data": "b"},
        {"stream": "stdout", "rank": "3", "eof": True},
    ]


def test_the_end_of_a_stream_that_said_nothing_is_told() -> None:
    assert contexts(Output(1 << 20), (0, "stdout", b"")) == [{"stream": "stdout", "rank": "0", "eof": True}]


def test_unbuffered_stdout_comes_at_once() -> None:
    assert contexts(Output(1 << 20, unbuffered=True), (0, "stdout", b"prompt: ")) == [
        {"stream": "stdout", "rank": "0", "data": "prompt: "}
    ]


def test_a_line_without_an_end_goes_in_pieces() -> None:
    assert [c["data"] for c in contexts(Output(1 << 20), (0, "stdout", b"x" * LINE_MAX), (0, "stdout", b"y\n"))] == [
        "x" * LINE_MAX,
        "y\n",
    ]


def test_a_character_that_has_only_begun_waits_for_its_rest() -> None:
    euro = "€".encode()
    assert [
        c["data"]
        for c in contexts(Output(99, unbuffered=True), (0, "stdout", b"a" + euro[:2]), (0, "stdout", euro[2:]))
    ] == [
        "a",
        "€",
    ]


@given(st.lists(st.binary(max_size=12)), st.booleans())
def test_every_byte_comes_out_once_and_in_order(writes: list[bytes], unbuffered: bool) -> None:
    output = Output(1 << 20, unbuffered=unbuffered)
    made = contexts(output, *((0, "stdout", data) for data in writes if data), (0, "stdout", b""))
    assert b"".join(decode(context).data for context in made) == b"".join(writes)
    assert [chunk.number for chunk in output.unacknowledged] == list(range(1, len(made) + 1))


def test_the_window_fills_and_opens_again() -> None:
    output = Output(8)
    first = output.take(0, "stdout", b"1234\n")[0]
    assert not output.full
    output.take(0, "stdout", b"5678\n")
    assert output.full
    assert not output.acknowledge(0)
    assert output.acknowledge(1)
    assert not output.full
    assert not output.acknowledge(2)
    assert output.unacknowledged == []
    assert first == Chunk(1, {"stream": "stdout", "rank": "0", "data": "1234\n"}, 5)
