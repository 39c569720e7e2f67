"""Output that is kept as a stream besides: what is sent, and what its source may forget. Pure."""

from typing import Any

from flux.base.iodata import encode
from flux.modules.wreck.kept import Kept


def io(data: bytes, task: int = 0, stream: str = "stdout") -> dict[str, Any]:
    return encode(stream, str(task), data)


def test_output_is_sent_in_order_as_far_as_there_are_credits() -> None:
    kept = Kept(1)
    assert kept.output(0, 1, io(b"abc")) == []
    assert kept.credited(5) == [{"number": 1, "io": io(b"abc")}]
    assert kept.output(0, 2, io(b"def")) == []
    assert kept.output(0, 3, io(b"g")) == []
    assert kept.credited(3) == [{"number": 2, "io": io(b"def")}, {"number": 3, "io": io(b"g")}]


def test_a_node_may_forget_what_both_have() -> None:
    kept = Kept(2)
    kept.credited(100)
    for node, number in ((0, 1), (1, 1), (0, 2), (1, 2)):
        kept.output(node, number, io(b"data", node))
    kept.acknowledged({"0": 2, "1": 1, "x": 7})
    assert kept.both == {"0": 0, "1": 0}
    kept.credited(8)
    assert kept.both == {"0": 1, "1": 1}
    kept.credited(8)
    assert kept.both == {"0": 2, "1": 1}
    kept.acknowledged({"1": 2})
    assert (kept.both, kept.client) == ({"0": 2, "1": 2}, {"0": 2, "1": 2})


def test_parts_of_an_append_count_when_they_are_whole() -> None:
    kept = Kept(1)
    kept.credited(100)
    kept.output(0, 1, io(b"data"))
    kept.acknowledged({"0": 1})
    kept.credited(3)
    assert kept.both == {"0": 0}
    kept.credited(1)
    assert kept.both == {"0": 1}


def test_in_the_end_what_tasks_have_not_ended_is_ended() -> None:
    kept = Kept(2)
    kept.credited(100)
    kept.output(0, 1, io(b"", 0))
    sent = kept.finish()
    assert [message.get("io") for message in sent] == [
        io(b"", 0, "stderr"),
        io(b"", 1, "stderr"),
        io(b"", 1, "stdout"),
        None,
    ]
    assert [message["number"] for message in sent] == [2, 3, 4, 5]
