"""Lines on their way to rank 0, over a way that loses and doubles."""

from hypothesis import given
from hypothesis import strategies as st

from flux.modules.log import outbox
from flux.modules.log.outbox import MOST_WAITING, Batch, Inbox, Outbox


def test_what_has_come_while_a_batch_was_on_its_way_makes_the_next() -> None:
    box = Outbox()
    assert box.take() is None
    box.add("a")
    assert box.take() == Batch(1, ["a"])
    box.add("b")
    box.add("c")
    assert box.take() is None
    box.arrived()
    assert box.take() == Batch(2, ["b", "c"])
    box.failed()
    box.add("d")
    assert box.take() == Batch(2, ["b", "c", "d"])
    box.arrived()
    assert box.take() is None


def test_a_batch_is_bounded_and_so_is_what_waits() -> None:
    box = Outbox()
    for n in range(outbox.MOST_WAITING + 10):
        box.add(str(n))
    first = box.take()
    assert first is not None and first.first == 11 and len(first.lines) == outbox.MOST_SENT
    for n in range(5):  # these replace the oldest, which are on their way
        box.add(f"later {n}")
    box.arrived()
    rest = box.take()
    assert rest is not None and rest.first == first.first + outbox.MOST_SENT
    assert rest.lines[0] == str(10 + outbox.MOST_SENT)


@given(st.lists(st.sampled_from(["add", "send", "send, answer lost", "lost"]), max_size=60))
def test_every_line_arrives_once_and_in_order(steps: list[str]) -> None:
    box, inbox = Outbox(), Inbox()
    added: list[str] = []
    arrived: list[str] = []

    def send(answer: bool) -> None:
        batch = box.take()
        if batch is not None:
            arrived.extend(inbox.fresh("source", batch))
            box.arrived() if answer else box.failed()

    for step in steps:
        if step == "add":
            added.append(str(len(added)))
            box.add(added[-1])
        elif step == "lost":
            if box.take():
                box.failed()
        else:
            send(answer=step == "send")
    send(answer=True)
    assert arrived == added


def test_sources_are_apart() -> None:
    inbox = Inbox()
    assert inbox.fresh("a", Batch(1, ["x"])) == inbox.fresh("b", Batch(1, ["x"])) == ["x"]
    assert inbox.fresh("a", Batch(1, ["x", "y"])) == ["y"]
    assert inbox.fresh("a", Batch(9, ["z"])) == ["z"]


def test_what_is_dropped_is_counted() -> None:
    box = Outbox()
    for n in range(MOST_WAITING + 3):
        box.add(str(n))
    assert box.dropped == 3
    batch = box.take()
    assert batch is not None and batch.first == 4
