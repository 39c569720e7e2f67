"""The broker's own log lines."""

from flux.base.logline import read_logline
from flux.broker.logger import Logger
from flux.wire.message import Message, Request


def test_lines_are_kept_until_there_is_a_log_and_then_go_there_in_order() -> None:
    sent: list[Message] = []
    log = Logger(3, lambda: 0.0, lambda msg, sender: sent.append(msg))
    log(6, "broker", "early")
    assert sent == []
    log.open()
    log(3, "kvs", "late")
    lines = [
        read_logline(msg.data.decode()) for msg in sent if isinstance(msg, Request) and isinstance(msg.data, bytes)
    ]
    assert [(line.rank, line.severity, line.app, line.text) for line in lines] == [
        (3, 6, "broker", "early"),
        (3, 3, "kvs", "late"),
    ]


def test_each_line_of_a_text_is_a_record() -> None:
    sent: list[Message] = []
    log = Logger(0, lambda: 0.0, lambda msg, sender: sent.append(msg))
    log.open()
    log(3, "broker", "Traceback\n  somewhere\nError")
    assert len(sent) == 3
    assert all(isinstance(msg, Request) and msg.topic == "log.append" and not msg.wants_answer for msg in sent)
