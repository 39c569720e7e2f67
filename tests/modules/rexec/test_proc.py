from errno import EINVAL
from typing import Any

import pytest

from flux.modules.rexec.command import command
from flux.modules.rexec.proc import (
    CHANNEL,
    FALLTHROUGH,
    NO_SETPGRP,
    STDERR,
    STDOUT,
    WAITABLE,
    WRITE_CREDIT,
    Proc,
)


def proc(flags: int = STDOUT | STDERR, local: int = 0, background: bool = False, **cmd: Any) -> Proc:
    data = {"cmdline": ["cat"], "env": {}, "opts": {}, "channels": []} | cmd
    return Proc(command(data), 3, flags, local, background)


def test_it_is_done_when_it_has_ended_and_so_has_its_output() -> None:
    p = proc()
    assert p.started(7) == [{"type": "started", "pid": 7}]
    assert p.exited(256) == [{"type": "finished", "status": 256}]
    assert not p.done
    for stream in ("stdout", "stderr"):
        end = p.output(stream, p.pieces(stream, b""))
        assert end == [{"type": "output", "pid": 7, "io": {"stream": stream, "rank": "3", "eof": True}}]
    assert p.done


def test_only_streams_that_were_asked_for_are_captured_or_waited_for() -> None:
    p = proc(STDERR)
    assert p.streams == ["stdin", "stderr"]
    p.started(7)
    p.exited(0)
    p.pieces("stderr", b"")
    assert p.done
    assert proc(local=FALLTHROUGH).streams == []
    assert proc(0, background=True).streams == ["stdin", "stdout", "stderr"]


def test_channels_are_told_only_with_their_flag() -> None:
    for flags, count in ((STDOUT, 0), (CHANNEL, 1)):
        p = proc(flags, channels=["SIDE"])
        assert len(p.output("SIDE", p.pieces("SIDE", b"x\n"))) == count


def test_credit_is_the_buffer_first_and_then_what_was_taken() -> None:
    p = proc(WRITE_CREDIT, channels=["SIDE"], opts={"stdin_BUFSIZE": "4096", "SIDE_BUFSIZE": "1k"})
    assert p.started(7)[1] == {"type": "add-credit", "channels": {"SIDE": 1024, "stdin": 4096}}
    assert p.written("stdin", 4096)
    assert p.drained("stdin", 100) == [{"type": "add-credit", "channels": {"stdin": 100}}]
    assert p.written("stdin", 100)
    assert not p.written("stdin", 1)


def test_who_did_not_ask_gets_no_credit() -> None:
    p = proc()
    assert len(p.started(7)) == 1
    p.written("stdin", 10)
    assert p.drained("stdin", 10) == []


def test_there_is_nothing_to_write_to_but_stdin_and_channels() -> None:
    p = proc(channels=["SIDE"])
    assert [p.takes(stream) for stream in ("stdin", "SIDE", "stdout", "nonsense")] == [True, True, False, False]


def test_the_latest_output_is_kept_for_who_waits() -> None:
    p = proc(WAITABLE, background=True)
    p.started(7)
    p.exited(0)
    assert p.result() == {"status": 0}
    for n in range(3000):
        p.retain("stdout", p.pieces("stdout", b"%04d\n" % n))
    kept = [io["data"] for io in p.result()["output"]]
    assert kept == [f"{n:04}\n" for n in range(3000 - 8192 // 5, 3000)]
    p.retain("stderr", [b"x" * 10000, b""])
    assert p.result()["output"] == [{"stream": "stderr", "rank": "3", "data": "x" * 10000}]


def test_who_attaches_gets_the_end_of_what_had_ended() -> None:
    p = proc(0, background=True)
    p.started(7)
    p.pieces("stdout", b"")
    end = {"type": "output", "pid": 7, "io": {"stream": "stdout", "rank": "3", "eof": True}}
    assert p.attach({"the": "command"}, STDOUT | STDERR) == [
        {"type": "attached", "pid": 7, "cmd": {"the": "command"}},
        end,
    ]
    assert p.attach({}, STDERR) == [{"type": "attached", "pid": 7, "cmd": {}}]
    p.exited(9)
    assert p.attach({}, 0)[1] == {"type": "finished", "status": 9}


def test_it_leads_a_group_unless_asked_otherwise() -> None:
    assert proc().group
    assert not proc(local=NO_SETPGRP).group


def test_its_line_in_a_list_shows_whether_it_runs() -> None:
    p = proc(label="it")
    p.started(7)
    assert p.entry() == {"pid": 7, "cmd": "cat", "label": "it", "state": "R"}
    p.exited(0)
    assert p.entry()["state"] == "Z"


@pytest.mark.parametrize(
    ("flags", "local", "background", "cmd", "text"),
    [
        (WRITE_CREDIT, 0, True, {}, "write-credit"),
        (0, FALLTHROUGH, True, {}, "stdio-fallthrough"),
        (0, 0, True, {"channels": ["SIDE"]}, "auxiliary channels"),
        (WAITABLE, 0, False, {}, "waitable flag only supported in background mode"),
    ],
)
def test_what_does_not_go_together_is_refused(
    flags: int, local: int, background: bool, cmd: dict[str, Any], text: str
) -> None:
    with pytest.raises(OSError, match=text) as refusal:
        proc(flags, local, background, **cmd)
    assert refusal.value.errno == EINVAL
