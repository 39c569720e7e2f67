"""`flux stream`, and output of `flux run` that is kept, as a user sees them."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.session import FLUX, Session
from tests.session import session as new_session


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with new_session(3) as running:
        yield running


def start(session: Session, *words: str) -> "subprocess.Popen[bytes]":
    """Starts `flux stream WORDS`, with pipes."""
    pipe = subprocess.PIPE
    env = os.environ | {"FLUX_URI": session.uri}
    return subprocess.Popen([FLUX, "stream", *words], stdin=pipe, stdout=pipe, stderr=pipe, env=env)


def test_what_is_put_is_got(session: Session) -> None:
    assert session.flux("stream", "put", "a", stdin="hello\n") == (0, "", "")
    assert session.flux("stream", "get", "a") == (0, "hello\n", "")
    assert session.flux("stream", "get", "--follow", "a") == (0, "hello\n", "")
    assert session.flux("stream", "put", "a") == (1, "", "flux-stream: a: is there already\n")
    assert session.flux("stream", "put", "-a", "a") == (1, "", "flux-stream: a: the stream has ended\n")
    assert session.flux("stream", "put", "-t", "a", stdin="new") == (0, "", "")
    assert session.flux("stream", "get", "a").out == "new"
    assert session.flux("stream", "get", "nothing") == (1, "", "flux-stream: nothing: No such file or directory\n")
    assert session.flux("stream", "put", "b", "/no/such") == (
        1,
        "",
        "flux-stream: /no/such: No such file or directory\n",
    )


def test_a_file_of_any_bytes_is_as_it_was(session: Session, tmp_path: Path) -> None:
    data = os.urandom(3 << 20)
    (tmp_path / "data").write_bytes(data)
    assert session.flux("stream", "put", "bytes", str(tmp_path / "data")).code == 0
    with start(session, "get", "-f", "bytes") as reader:
        out, _ = reader.communicate()
    assert out == data


def test_a_reader_may_come_first_and_follows_to_the_end(session: Session) -> None:
    reader, writer = start(session, "get", "-fW", "first"), start(session, "put", "first")
    assert writer.stdin is not None
    assert reader.stdout is not None
    writer.stdin.write(b"one\n")
    writer.stdin.flush()
    assert reader.stdout.readline() == b"one\n"
    rest, _ = writer.communicate(b"two\n")
    out, err = reader.communicate()
    assert (writer.returncode, reader.returncode, rest, out, err) == (0, 0, b"", b"two\n", b"")


def test_who_comes_late_may_want_the_last_lines_only(session: Session) -> None:
    lines = "".join(f"{number}\n" for number in range(100))
    session.flux("stream", "put", "-k", "tail", stdin=lines)
    assert session.flux("stream", "get", "-n", "2", "tail").out == "98\n99\n"
    assert session.flux("stream", "get", "--tail", "tail").out == lines[-30:]
    reader = start(session, "get", "-f", "-n", "1", "tail")
    assert reader.stdout is not None
    assert reader.stdout.readline() == b"99\n"
    session.flux("stream", "put", "-a", "tail", stdin="new\n")
    assert reader.communicate()[0] == b"new\n"


def test_a_stream_that_is_left_open_goes_on_until_it_is_closed(session: Session) -> None:
    session.flux("stream", "put", "--keep-open", "open", stdin="1\n")
    session.flux("stream", "put", "-ka", "open", stdin="2\n")
    assert "state:    open\n" in session.flux("stream", "stat", "open").out
    assert session.flux("stream", "close", "open") == (0, "", "")
    assert session.flux("stream", "get", "-f", "open") == (0, "1\n2\n", "")
    assert session.flux("stream", "close", "never") == (1, "", "flux-stream: never: No such file or directory\n")


def test_a_stream_for_two_ends_with_the_second(session: Session) -> None:
    session.flux("stream", "put", "--writers", "2", "two", stdin="1\n")
    assert "state:    open\n" in session.flux("stream", "stat", "two").out
    session.flux("stream", "put", "--writers", "2", "two", stdin="2\n")
    assert session.flux("stream", "get", "-f", "two").out == "1\n2\n"


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_writer_that_is_killed_ends_the_stream_and_readers_say_so(session: Session, signum: int) -> None:
    name = f"killed{int(signum)}"
    reader, writer = start(session, "get", "-fW", name), start(session, "put", name)
    assert writer.stdin is not None
    assert reader.stdout is not None
    writer.stdin.write(b"before\n")
    writer.stdin.flush()
    assert reader.stdout.readline() == b"before\n"
    writer.send_signal(signum)
    writer.communicate()
    out, err = reader.communicate()
    assert (reader.returncode, out) == (1, b"")
    assert err.decode() == f"flux-stream: {name}: a writer was gone before the end\n"


# -- programs ----------------------------------------------------------------------------------------------------------


def test_a_programs_stdio_are_streams_and_who_attaches_speaks_with_it(session: Session) -> None:
    script = "while read word; do echo said $word; echo error >&2; done; exit 3"
    program = start(session, "run", "p", "--", "sh", "-c", script)
    attached = start(session, "attach", "-W", "p")
    assert attached.stdin is not None
    assert attached.stdout is not None
    attached.stdin.write(b"one\n")
    attached.stdin.flush()
    assert attached.stdout.readline() == b"said one\n"
    session.flux("stream", "put", "-a", "-s", "stdin", "p.input", stdin="two\n")
    assert attached.stdout.readline() == b"said two\n"
    out, err = attached.communicate(b"three\n")
    assert (out, err, attached.returncode) == (b"said three\n", b"error\n" * 3, 3)
    assert program.communicate() == (b"", b"")
    assert program.returncode == 3
    assert session.flux("stream", "attach", "p") == (3, "said one\nsaid two\nsaid three\n", "error\n" * 3)
    assert session.flux("stream", "get", "-s", "stderr", "p") == (0, "error\n" * 3, "")
    assert session.flux("stream", "rm", "p") == (0, "", "")
    assert session.flux("kvs", "exists", "p").code == 1


def test_a_program_may_run_on_another_rank_and_without_input(session: Session) -> None:
    done = session.flux("stream", "run", "-n", "-r", "2", "there", "--", "sh", "-c", "cat; flux getattr rank")
    assert (done.code, done.err) == (0, "")
    assert session.flux("stream", "get", "there").out == "2\n"


def test_a_program_may_have_its_input_from_a_file_or_from_us(session: Session, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("b\na\n")
    assert session.flux("stream", "run", "-i", str(tmp_path / "data"), "sorted", "sort") == (0, "", "")
    assert session.flux("stream", "get", "sorted").out == "a\nb\n"
    assert session.flux("stream", "run", "-ti", "-", "sorted", "sort", stdin="d\nc\n") == (0, "", "")
    assert session.flux("stream", "get", "sorted").out == "c\nd\n"
    ended = session.flux("stream", "run", "-i", "/no/such", "sorted", "sort")
    assert ended == (1, "", "flux-stream: /no/such: No such file or directory\n")


def test_a_program_that_cannot_be_run_is_named(session: Session) -> None:
    done = session.flux("stream", "run", "nope", "--", "no-such-program")
    assert done.code == 127
    assert done.err.startswith("flux-stream: no-such-program: ")
    assert session.flux("stream", "run", "x", "-n") == (
        1,
        "",
        "flux-stream: run: -n: options go before NAME\n",
    )


def test_a_signal_reaches_the_program(session: Session) -> None:
    program = start(
        session, "run", "signalled", "--", "sh", "-c", "trap 'echo bye; exit 7' TERM; echo hi; sleep 60 & wait"
    )
    reader = start(session, "get", "-fW", "signalled.output")
    assert reader.stdout is not None
    assert reader.stdout.readline() == b"hi\n"
    program.send_signal(signal.SIGTERM)
    assert reader.communicate() == (b"bye\n", b"")
    program.communicate()
    assert program.returncode == 7


# -- what there is -----------------------------------------------------------------------------------------------------


def test_streams_are_listed_described_and_removed(session: Session) -> None:
    session.flux("stream", "put", "d.one", stdin="12345")
    session.flux("kvs", "put", "d.value=1")
    assert session.flux("stream", "ls", "d").out == "d.one\n"
    assert session.flux("stream", "ls", "-l", "d").out.split()[:3] == ["ended", "0", "5"]
    described = session.flux("stream", "stat", "d.one").out
    assert "stdout:   5 bytes, 1 of 1 ended\n" in described
    assert session.flux("stream", "stat", "d.value").err == (
        "flux-stream: d.value: not a stream (RFC 24): an event has no end of line\n"
    )
    assert session.flux("stream", "rm", "d.value") == (1, "", "flux-stream: d.value: is not a stream\n")
    assert session.flux("stream", "rm", "d.one") == (0, "", "")
    assert session.flux("stream", "ls", "d").out == ""


# -- flux run ----------------------------------------------------------------------------------------------------------


def test_the_output_of_a_run_is_kept_if_it_has_a_name(session: Session) -> None:
    script = "echo out $FLUX_TASK_RANK; echo err >&2"
    done = session.flux("run", "--stream", "job.{{ntasks}}", "-n", "3", "-N", "3", "sh", "-c", script)
    assert done.code == 0
    shown = session.flux("stream", "get", "-l", "job.3")
    assert sorted(shown.out.splitlines()) == [f"{task}: out {task}" for task in range(3)]
    assert sorted(shown.err.splitlines()) == [f"{task}: err" for task in range(3)]
    assert sorted(done.out.splitlines()) == [f"out {task}" for task in range(3)]
    again = session.flux("run", "--stream", "job.3", "true")
    assert again.code == 1
    assert "type=exec severity=0 job.3.output: is there already\n" in again.err


def test_many_lines_are_kept_in_few_appends(session: Session) -> None:
    done = session.flux("run", "--stream", "many", "seq", "300000")
    assert session.flux("stream", "get", "-f", "many").out == done.out
    appends = session.flux("stream", "stat", "many.output").out.partition("appends:")[2].split()[0]
    assert int(appends) < 100
