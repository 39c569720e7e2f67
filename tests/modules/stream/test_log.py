"""A log that is being written: who may write, when it ends, when it is appended to. Pure."""

from errno import EEXIST, EINVAL, ENOBUFS, EPROTO
from typing import Any

import pytest

from flux.base.idset import IDset
from flux.base.iodata import encode
from flux.base.streamlog import Fold
from flux.modules.stream.log import BATCH, ENOUGH, PAUSE, Batch, Log
from flux.modules.stream.writer import WINDOW, Write, Writer


def writer(*streams: str, ranks: str = "0") -> Writer:
    return Writer(streams or ("stdout",), IDset(ranks))


class Written:
    """A log, and what a reader knows of it."""

    def __init__(self, first: Writer, writers: int = 1) -> None:
        self.log, self.fold, self.now = Log(), Fold(), 0.0
        self.text = b""
        self._numbers: dict[Writer, int] = {}
        counts: dict[str, int] = {}
        for stream, _ in first.owed:
            counts[stream] = counts.get(stream, 0) + writers
        self.log.begin(first, counts, 1.0)
        self.append()

    def send(self, one: Writer, data: bytes | None, stream: str = "stdout", rank: str = "0") -> None:
        """A writer sends data, b"" for an end, None for its farewell."""
        self._numbers[one] = self._numbers.get(one, 0) + 1
        io = None if data is None else encode(stream, rank, data)
        for write in one.receive(self._numbers[one], io):
            self.log.write(one, write, 1.0)

    def append(self) -> Batch:
        """Appends what there is, once."""
        batch = self.log.take()
        self.text += b"".join(said.data for said in self.fold.feed(batch.lines))
        self.log.appended(batch, self.now)
        return batch


def test_one_writer_makes_a_log_writes_and_ends_it() -> None:
    one = writer()
    written = Written(one)
    written.send(one, b"a")
    written.send(one, b"b")
    written.send(one, b"")
    written.send(one, None)
    batch = written.append()
    assert (batch.first, batch.credits, batch.parted) == (False, {one: 2}, [one])
    assert (written.text, written.fold.ended, written.log.over) == (b"ab", True, True)


def test_a_log_that_several_write_ends_with_the_last_of_them() -> None:
    one, other = writer(), writer()
    written = Written(one)
    written.log.join(other)
    written.send(one, b"")
    written.send(one, None)
    written.append()
    assert not written.fold.ended
    written.send(other, b"more")
    written.send(other, b"")
    written.append()
    assert (written.text, written.fold.ended) == (b"more", True)
    with pytest.raises(OSError, match="has ended") as caught:
        written.log.join(writer())
    assert caught.value.errno == EEXIST


def test_a_log_for_two_waits_for_the_second_who_comes_when_the_first_has_gone() -> None:
    one, other = writer(), writer()
    written = Written(one, writers=2)
    written.send(one, b"")
    written.send(one, None)
    written.append()
    assert (written.fold.ended, written.log.over) == (False, True)
    log = Log()
    log.resume(written.fold, 2)
    log.join(other)
    written.log = log
    written.send(other, b"")
    written.append()
    assert written.fold.ended


def test_who_leaves_without_an_end_leaves_it_open() -> None:
    one, other = writer(), writer()
    written = Written(one)
    written.log.join(other)
    written.send(one, b"")
    written.send(one, None)
    written.send(other, None)
    written.append()
    assert (written.fold.ended, written.fold.remarks, written.log.over) == (False, [], True)


def test_who_is_gone_has_its_ends_written_and_readers_are_told() -> None:
    one = writer("stdout", "stderr", ranks="0-2")
    written = Written(one)
    written.send(one, b"x", rank="1")
    written.send(one, b"", rank="1")
    written.log.leave(one, 1.0, "gone")
    written.append()
    assert (written.text, written.fold.ended, written.fold.remarks) == (b"x", True, ["gone"])


def test_after_its_farewell_nobody_is_missed() -> None:
    one = writer()
    written = Written(one)
    written.send(one, b"")
    written.send(one, None)
    written.log.leave(one, 1.0, "gone")
    written.append()
    assert written.fold.remarks == []


# -- what a writer may send --------------------------------------------------------------------------------------------


def test_what_comes_too_early_waits_for_its_turn() -> None:
    one = writer()
    ios: list[Any] = [encode("stdout", "0", data) for data in (b"1", b"2", b"3")]
    assert list(one.receive(3, ios[2])) == []
    assert list(one.receive(1, ios[0])) == [Write(ios[0], 1)]
    assert list(one.receive(2, ios[1])) == [Write(ios[1], 1), Write(ios[2], 1)]


@pytest.mark.parametrize(
    ("sent", "errnum"),
    [
        ([b"x", "twice"], EPROTO),
        ([b"", b"x"], EINVAL),
        ([None, b"x"], EPROTO),
        ([b"x" * WINDOW, b"x"], ENOBUFS),
        (["other"], EINVAL),
        (["nothing"], EPROTO),
    ],
)
def test_what_may_not_be_sent_is_refused(sent: list[Any], errnum: int) -> None:
    one = writer()
    odd = {"twice": (1, encode("stdout", "0", b"x")), "other": (1, encode("stdout", "1", b"x")), "nothing": (1, {})}
    with pytest.raises(OSError, match=r".") as caught:
        for number, what in enumerate(sent, 1):
            io = None if what is None else encode("stdout", "0", what) if isinstance(what, bytes) else None
            list(one.receive(*(odd[what] if isinstance(what, str) else (number, io))))
    assert caught.value.errno == errnum


def test_a_stream_that_the_log_has_not_cannot_be_joined() -> None:
    written = Written(writer())
    with pytest.raises(OSError, match="has no stdin"):
        written.log.join(writer("stdin"))


# -- when it is appended to --------------------------------------------------------------------------------------------


def test_appends_become_rarer_the_more_there_are_unless_there_is_enough() -> None:
    one = writer()
    written = Written(one)
    for number in range(1, 100):
        written.send(one, b"x")
        assert written.log.due(written.now) == pytest.approx(number * PAUSE)
        assert written.log.due(written.now + 1) == 0
        written.append()
    written.send(one, b"x" * ENOUGH)
    assert written.log.due(written.now) == 0


def test_a_log_is_appended_to_by_one_batch_at_a_time() -> None:
    one = writer()
    written = Written(one)
    written.send(one, b"x" * (BATCH - 1))
    written.send(one, b"xx")
    batch = written.log.take()
    assert (batch.size, batch.lazy) == (BATCH - 1, False)
    assert written.log.due(1e9) is None
    written.log.appended(batch, 0.0)
    assert (one.under_way, written.log.take().lazy) == (2, True)
