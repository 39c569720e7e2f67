"""`flux exec` in a session of four brokers."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import flux
import flux.subprocess
from tests.session import session as new_session

FLUX = [sys.executable, "-c", "import sys; from flux.commands.front import main; sys.exit(main())"]


@pytest.fixture(scope="module")
def uri() -> Iterator[str]:
    """A session of four brokers that lasts for all tests of this file."""
    words = [*FLUX, "start", "--size", "4", "sh", "-c", "echo $FLUX_URI; exec cat"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as session:
        assert session.stdin is not None
        assert session.stdout is not None
        yield session.stdout.readline().strip()
        session.stdin.close()
        assert session.wait() == 0


class Exec:
    """Runs `flux exec` and keeps what came of it."""

    def __init__(self, uri: str, *words: str, input: bytes = b"", cwd: Path | None = None) -> None:
        done = subprocess.run(
            [*FLUX, "exec", *words], input=input, capture_output=True, env=os.environ | {"FLUX_URI": uri}, cwd=cwd
        )
        self.code = done.returncode
        self.out = done.stdout
        self.err = done.stderr.decode()

    @property
    def lines(self) -> list[str]:
        """What it wrote, sorted."""
        return sorted(self.out.decode().splitlines())


def test_it_runs_on_all_ranks_and_labels_what_they_say(uri: str) -> None:
    done = Exec(uri, "-l", "sh", "-c", "echo ${FLUX_URI##*-}; echo error >&2")
    assert (done.code, done.lines) == (0, ["0: 0", "1: 1", "2: 2", "3: 3"])
    assert sorted(done.err.splitlines()) == [f"{rank}: error" for rank in range(4)]


@pytest.mark.parametrize(
    ("words", "ranks"),
    [(["-r", "all"], "0123"), (["-r", "2-3"], "23"), (["-x", "2-3"], "01"), (["-r2-3", "-x", "3,9"], "2")],
)
def test_ranks_are_chosen(uri: str, words: list[str], ranks: str) -> None:
    done = Exec(uri, *words, "sh", "-c", "echo ${FLUX_URI##*-}")
    assert done.lines == list(ranks)


def test_options_end_where_the_command_begins(uri: str) -> None:
    assert Exec(uri, "-r", "0", "echo", "-n", "-x", "--").out == b"-x --"
    assert Exec(uri, "-r", "0", "--", "echo", "--rank").out == b"--rank\n"


def test_directory_and_environment_go_along(uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINE", "ä")
    assert Exec(uri, "-r3", "sh", "-c", "pwd; echo $MINE", cwd=tmp_path).out.decode() == f"{tmp_path}\nä\n"
    assert Exec(uri, "-r3", "-d", str(tmp_path), "pwd").out.decode() == f"{tmp_path}\n"
    assert Exec(uri, "-r3", "-d", "none", "pwd", cwd=tmp_path).out.decode() == f"{os.getcwd()}\n"


def test_the_exit_code_is_the_largest(uri: str) -> None:
    done = Exec(uri, "sh", "-c", "exit ${FLUX_URI##*-}")
    assert done.code == 3
    assert sorted(done.err.splitlines()) == ["1: Exit 1", "2: Exit 2", "3: Exit 3"]
    quiet = Exec(uri, "-q", "-r0-1", "sh", "-c", "kill -11 $$")
    assert (quiet.code, quiet.err) == (139, "")
    assert Exec(uri, "-r0-1", "sh", "-c", "kill -11 $$").err == "[0-1]: Segmentation fault\n"


@pytest.mark.parametrize(
    ("words", "code", "what", "why"),
    [
        (["nosuch"], 127, "nosuch", "No such file or directory"),
        (["/etc/passwd"], 126, "/etc/passwd", "Permission denied"),
        (["-d", "/no", "true"], 127, "true", "/no: No such file or directory"),
    ],
)
def test_what_cannot_start_is_named(uri: str, words: list[str], code: int, what: str, why: str) -> None:
    done = Exec(uri, "-r1", *words)
    assert (done.code, done.err) == (code, f"flux-exec: Error: rank 1: {what}: error launching process: {why}\n")


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["-r", "4", "true"], 68, "flux-exec: ranks 4: this instance has ranks 0-3 only"),
        (["-r", "0-z", "true"], 1, "flux-exec: --rank: error parsing range '0-z'"),
        (["-x", "0-3", "true"], 1, "flux-exec: no ranks are left to run on"),
        (["--setopt=x", "true"], 1, "flux-exec: --setopt: x: not NAME=VALUE"),
        ([], 2, "flux-exec: a command is required (see `flux exec --help`)"),
        (["--waitable", "true"], 2, "flux-exec: --waitable can only be used with --bg (see `flux exec --help`)"),
        (["--attach", "1"], 1, "flux-exec: --attach by pid requires a single target rank (use --rank)"),
    ],
)
def test_a_command_line_that_makes_no_sense_is_answered_in_one_line(
    uri: str, words: list[str], code: int, text: str
) -> None:
    done = Exec(uri, *words)
    assert (done.code, done.err) == (code, text + "\n")


def test_input_goes_to_all_whole_and_no_faster_than_they_take_it(uri: str) -> None:
    data = os.urandom(1 << 20) * 2
    done = Exec(uri, "--setopt=stdin_BUFSIZE=4096", "wc", "-c", input=data)
    assert done.lines == [str(len(data))] * 4
    assert Exec(uri, "-r", "2", "cat", input=data).out == data


def test_input_for_all_does_not_wait_for_who_has_left(uri: str) -> None:
    data = b"x" * (1 << 20)
    script = "test ${FLUX_URI##*-} = 0 || exec wc -c"
    done = Exec(uri, "--setopt=stdin_BUFSIZE=4096", "sh", "-c", script, input=data)
    assert done.lines == [str(len(data))] * 3


def test_without_input_there_is_only_its_end(uri: str) -> None:
    assert Exec(uri, "-n", "-r0", "cat", input=b"not for you").out == b""


def test_much_output_passes_a_reader_that_does_not_read(uri: str) -> None:
    words = [*FLUX, "exec", "-r", "3", "head", "-c", "100000000", "/dev/zero"]
    env = os.environ | {"FLUX_URI": uri}
    with subprocess.Popen(words, stdout=subprocess.PIPE, env=env, stdin=subprocess.DEVNULL) as reader:
        assert reader.stdout is not None
        assert Exec(uri, "-r", "3", "echo", "others").out == b"others\n"  # while nobody reads the first
        assert len(reader.stdout.read()) == 100_000_000
        assert reader.wait() == 0


def test_nobody_reading_ends_it_quietly(uri: str) -> None:
    words = [*FLUX, "exec", "-r", "0", "yes"]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | {"FLUX_URI": uri}
    ) as p:
        assert p.stdout is not None
        assert p.stderr is not None
        assert p.stdout.read(2) == b"y\n"
        p.stdout.close()
        assert (p.wait(), p.stderr.read()) == (141, b"")


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_reaches_everybody(uri: str, signum: signal.Signals, code: int) -> None:
    words = [*FLUX, "exec", "-n", "sh", "-c", "echo ready; exec sleep 1000"]
    env = os.environ | {"FLUX_URI": uri}
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert [process.stdout.readline() for _ in range(4)] == ["ready\n"] * 4
        process.send_signal(signum)
        assert process.wait() == code
        assert process.stderr.read() == f"[0-3]: {signal.strsignal(signum)}\n"


def test_ctrl_c_again_and_again_leaves_who_does_not_listen(uri: str) -> None:
    words = [*FLUX, "exec", "-v", "-n", "-r1", "sh", "-c", "trap '' INT; echo ready; exec sleep 1000"]
    env = os.environ | {"FLUX_URI": uri}
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        heard = ""
        for line in process.stderr:
            heard += line
            if "sending signal" in line:
                process.send_signal(signal.SIGINT)
        assert process.wait() == 1
        assert "interrupt (Ctrl+C) one more time within 1.00 sec to exit\n" in heard
        assert "\n1: command still running at exit\n" in heard


def test_a_client_that_is_killed_takes_its_processes_along(uri: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "held")
    words = [*FLUX, "exec", "-n", "-r", "2", "sh", "-c", "exec 3>held; exec sleep 1000"]
    with subprocess.Popen(words, env=os.environ | {"FLUX_URI": uri}, cwd=tmp_path) as process:
        held = os.open(tmp_path / "held", os.O_RDONLY)  # waits until it is open on the other side
        process.kill()
    assert os.read(held, 1) == b""
    os.close(held)


def test_all_of_a_long_chain_are_one_request_to_the_next_broker() -> None:
    with new_session(8, "-Stbon.topo=kary:1") as session:
        assert session.flux("module", "stats", "--clear", "broker").code == 0
        assert session.flux("exec", "-n", "true").code == 0
        assert session.flux("exec", "--bg", "true").code == 0
        sent = int(session.flux("module", "stats", "-p", "links.1.tx.request", "broker").out)
        assert 3 <= sent < 7  # seven ranks are behind it


def test_input_and_its_end_reach_those_that_are_left_when_a_broker_dies() -> None:
    with new_session(7, "-Stbon.topo=kary:2", "-Sheartbeat.period=0.1s") as session:
        words = [*FLUX, "exec", "-l", "cat"]
        env = os.environ | {"FLUX_URI": session.uri}
        pipe = subprocess.PIPE
        with subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe, env=env, text=True) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stderr is not None
            print("one", file=process.stdin, flush=True)
            assert {process.stdout.readline() for _ in range(7)} == {f"{rank}: one\n" for rank in range(7)}
            os.kill(int(session.flux("exec", "-r", "1", "flux", "getattr", "broker.pid").out), signal.SIGKILL)
            said = sorted(process.stderr.readline() for _ in range(3))
            assert [line.split(": ")[2] for line in said] == ["rank 1", "rank 3", "rank 4"]
            print("two", file=process.stdin, flush=True)
            assert {process.stdout.readline() for _ in range(4)} == {f"{rank}: two\n" for rank in (0, 2, 5, 6)}
            process.stdin.close()
            assert process.wait() == 68


def test_what_runs_in_the_background_can_be_found_listened_to_and_waited_for(uri: str) -> None:
    with flux.Flux(uri) as handle:
        started = Exec(uri, "-r", "1", "--bg", "--waitable", "--label=it", "sh", "-c", "echo out; echo err >&2; exit 5")
        rank, pid = started.out.decode().strip().split(": ")
        assert rank == "1"
        attached = Exec(uri, "-r", "1", "--attach", "it")
        assert attached.code == 5
        assert Exec(uri, "-r", "1", "--attach", pid).code == 127
        rpc = flux.subprocess.rexec_bg(handle, ["sh", "-c", "echo out; exit 6"], waitable=True, nodeid=2)
        assert rpc.get_rank() == 2
        done = flux.subprocess.wait(handle, pid=rpc.get_pid(), nodeid=2)
        assert os.waitstatus_to_exitcode(done.get_status()) == 6
        assert (done.stdout, done.stderr) == (b"out\n", b"")
        flux.subprocess.rexec_bg(handle, ["sleep", "1000"], label="nap", waitable=True, nodeid=2).get()
        nap = next(each for each in flux.subprocess.list(handle, nodeid=2).get_processes() if each.label == "nap")
        assert (nap.rank, nap.state, nap.cmd) == (2, "R", "sleep")
        flux.subprocess.kill(handle, signal.SIGKILL, label="nap", nodeid=2).get()
        assert flux.subprocess.wait(handle, label="nap", nodeid=2).get_status() == signal.SIGKILL


def test_what_a_job_starts_in_the_background_is_none_of_the_job(uri: str) -> None:
    show = "env | grep -E '^(FLUX_JOB_|FLUX_TASK_|PMI_)' || echo none"
    python = (
        "import flux, flux.subprocess as s; s.rexec_bg(flux.Flux(), ['sh', '-c', %r], label='py', waitable=True).get()"
    )
    for label, words in (
        ("sh", [*FLUX, "exec", "-r0", "--bg", "--waitable", "--label=sh", "sh", "-c", show]),
        ("py", [sys.executable, "-c", python % show]),
    ):
        subprocess.run([*FLUX, "run", *words], env=os.environ | {"FLUX_URI": uri}, check=True, capture_output=True)
        with flux.Flux(uri) as handle:
            assert flux.subprocess.wait(handle, label=label, nodeid=0).stdout == b"none\n"


def test_in_the_background_what_cannot_start_is_named(uri: str) -> None:
    done = Exec(uri, "-r", "1", "--bg", "nosuch")
    line = "flux-exec: Error: rank 1: nosuch: error launching process: No such file or directory\n"
    assert (done.code, done.out, done.err) == (1, b"", line)


def test_a_process_is_named_by_pid_or_label_and_signing_is_refused(uri: str) -> None:
    with flux.Flux(uri) as handle:
        for wrong in ({}, {"pid": 1, "label": "x"}):
            with pytest.raises(ValueError, match="exactly one"):
                flux.subprocess.kill(handle, **wrong)  # type: ignore[arg-type]
        with pytest.raises(OSError, match="signed"):
            flux.subprocess.list(handle, sign=True)
        with pytest.raises(ProcessLookupError):
            flux.subprocess.wait(handle, pid=1).get()
