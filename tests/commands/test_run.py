"""`flux run` in a session of four brokers, with real tasks."""

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import flux
from tests.session import flux as flux_command

FLUX = [sys.executable, "-P", "-c", "import sys; from flux.commands.front import main; sys.exit(main())"]
EXAMPLES = Path(__file__).parent.parent.parent / "examples"


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A session of four brokers with two cores each for all tests of this file; no job is left at the end."""
    config = tmp_path_factory.mktemp("config") / "fake.toml"
    config.write_text("[fake-resources]\nnnodes = 4\ncores-per-node = 2\n")
    words = [*FLUX, "start", "--size", "4", "-c", str(config), "sh", "-c", "echo $FLUX_URI; exec cat"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as session:
        assert session.stdin is not None
        assert session.stdout is not None
        uri = session.stdout.readline().strip()
        yield uri
        with flux.Flux(uri) as handle:
            assert handle.rpc("wreck.list").get() == {"jobs": []}
        rundir = Path(uri.removeprefix("local://")).parent
        assert not list(rundir.glob("jobtmp-*"))
        session.stdin.close()
        assert session.wait() == 0
    assert not rundir.exists()


class Run:
    """Runs `flux run` and keeps what came of it."""

    def __init__(self, uri: str, *words: str, input: bytes = b"", cwd: Path | None = None, **env: str) -> None:
        done = subprocess.run(
            [*FLUX, "run", *words], input=input, capture_output=True, env=os.environ | {"FLUX_URI": uri} | env, cwd=cwd
        )
        self.code = done.returncode
        self.out = done.stdout
        self.raw_err = done.stderr
        self.err = done.stderr.decode(errors="replace")

    @property
    def lines(self) -> list[str]:
        """What it wrote, sorted."""
        return sorted(self.out.decode().splitlines())


def begun(uri: str, *words: str, **more: object) -> "subprocess.Popen[str]":
    """Begins `flux run`."""
    return subprocess.Popen(  # type: ignore[call-overload, no-any-return]
        [*FLUX, "run", *words],
        env=os.environ | {"FLUX_URI": uri},
        text=True,
        **{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | more,
    )


# -- tasks ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "places"),
    [
        ([], ["0 0"]),
        (["-n", "3"], ["0 0", "1 0", "2 1"]),
        (["-n6"], ["0 0", "1 0", "2 1", "3 1", "4 2", "5 2"]),
        (["-n4", "-c2"], ["0 0", "1 1", "2 2", "3 3"]),
        (["-N2"], ["0 0", "1 1"]),
        (["-N", "2", "-n", "3"], ["0 0", "1 0", "2 1"]),
        (["-N2", "--tasks-per-node=2"], ["0 0", "1 0", "2 1", "3 1"]),
        (["--nodes=4", "--ntasks=4"], ["0 0", "1 1", "2 2", "3 3"]),
        (["-n4", "--taskmap=cyclic"], ["0 0", "1 1", "2 0", "3 1"]),
    ],
)
def test_tasks_are_spread_in_blocks(uri: str, words: list[str], places: list[str]) -> None:
    assert Run(uri, *words, "sh", "-c", "echo $FLUX_TASK_RANK ${FLUX_URI##*-}").lines == places


def test_a_task_knows_its_job(uri: str) -> None:
    done = Run(uri, "-n4", "sh", "-c", "echo $FLUX_JOB_SIZE $FLUX_JOB_NNODES $FLUX_TASK_LOCAL_ID $PMI_RANK $PMI_SIZE")
    assert done.lines == ["4 2 0 0 4", "4 2 0 2 4", "4 2 1 1 4", "4 2 1 3 4"]
    job_id, again = Run(uri, "-N2", "sh", "-c", "echo $FLUX_JOB_ID").lines
    assert job_id == again
    assert job_id.startswith("ƒ")


def test_each_node_has_a_directory_for_the_job_which_goes_with_it(uri: str) -> None:
    done = Run(
        uri, "-N2", "sh", "-c", "mkdir $FLUX_JOB_TMPDIR/a && touch $FLUX_JOB_TMPDIR/a/b && echo $FLUX_JOB_TMPDIR"
    )
    assert (done.code, len(set(done.lines))) == (0, 2)


def test_options_end_where_the_command_begins(uri: str) -> None:
    assert Run(uri, "echo", "-n", "3", "--").out == b"3 --"
    assert Run(uri, "--", "echo", "--ntasks").out == b"--ntasks\n"


def test_tasks_run_in_this_directory_or_another(uri: str, tmp_path: Path) -> None:
    assert Run(uri, "pwd", cwd=tmp_path).out.decode() == f"{tmp_path}\n"
    assert Run(uri, "--cwd", str(tmp_path), "pwd").out.decode() == f"{tmp_path}\n"


def test_the_environment_goes_along_by_rules(uri: str, tmp_path: Path) -> None:
    script = "echo $A $B ${C-none}"
    assert Run(uri, "sh", "-c", script, A="ä", B="b", C="c").out.decode() == "ä b c\n"
    assert (
        Run(uri, "--env-remove=[CD]", "--env=B=${A}x$$", "sh", "-c", script, A="a", B="b", C="c").out == b"a ax$ none\n"
    )
    (tmp_path / "rules").write_text("-*\nPATH\n\nA=1\n")
    assert Run(uri, f"--env-file={tmp_path}/rules", "--env=B", "sh", "-c", script, A="a", B="b").out == b"1 b none\n"


# -- how it ends ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "code", "said"),
    [
        ("exit 0", 0, ""),
        ("exit $FLUX_TASK_RANK", 2, "flux-run: task(s) exited with exit code 2\n"),
        ("exit 7", 7, "flux-run: task(s) exited with exit code 7\n"),
        ("kill -9 $$", 137, "flux-run: task(s) Killed\n"),
    ],
)
def test_the_exit_code_is_the_highest(uri: str, script: str, code: int, said: str) -> None:
    done = Run(uri, "-n3", "sh", "-c", script)
    assert (done.code, sorted(done.err.splitlines())) == (code, said.splitlines())


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (["nosuchcmd"], 127, "nosuchcmd: No such file or directory"),
        (["-n4", "nosuchcmd"], 127, "nosuchcmd: No such file or directory"),
        (["/etc/passwd"], 126, "/etc/passwd: Permission denied"),
        (["--cwd=/nowhere", "pwd"], 127, "/nowhere: No such file or directory"),
    ],
)
def test_what_cannot_be_executed_is_named(uri: str, words: list[str], code: int, why: str) -> None:
    done = Run(uri, *words)
    said, ended = done.err.splitlines()
    assert said.endswith(f" type=exec severity=0 {why}")
    assert (done.code, ended, done.out) == (code, f"flux-run: task(s) exited with exit code {code}", b"")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ([], "job command and arguments are missing"),
        (["-nx", "true"], "--ntasks: invalid int value 'x'"),
        (["--nodez=1", "true"], "unrecognized arguments: --nodez=1"),
        (["-N5", "true"], "unsatisfiable request: 5 whole nodes with 1 slot of 1 core, but there are 4 nodes, 8 cores"),
        (["-N2", "-n1", "true"], "node count must not be greater than task count"),
        (["--env=A=$NOSUCH", "true"], "--env: A=$NOSUCH: variable NOSUCH is not set"),
        (["--env=/(/", "true"], "--env: /(/: missing ), unterminated subpattern at position 0"),
        (["--env-file=/nowhere", "true"], "--env: /nowhere: No such file or directory"),
    ],
)
def test_bad_input_is_one_clear_line(uri: str, words: list[str], why: str) -> None:
    done = Run(uri, *words)
    assert done.code in (1, 2)
    assert done.err.removesuffix(" (see `flux run --help`)\n").rstrip("\n") == f"flux-run: {why}"


def test_without_a_session_it_says_so() -> None:
    done = Run("", "true", FLUX_URI="local:///nowhere/local-0", FLUX_LOCAL_CONNECTOR_RETRY_COUNT="0")
    assert (done.code, done.err) == (1, "flux-run: /nowhere/local-0: No such file or directory\n")


# -- input and output -----------------------------------------------------------------------------------------------


def test_output_comes_as_it_was_written(uri: str, tmp_path: Path) -> None:
    data = bytes(range(256)) * 3000 + b"no newline at the end"
    (tmp_path / "data").write_bytes(data)
    assert Run(uri, "cat", str(tmp_path / "data")).out == data
    done = Run(uri, "sh", "-c", "cat data >&2", cwd=tmp_path)
    assert (done.out, done.raw_err) == (b"", data)


def test_many_lines_come_complete_and_in_order(uri: str) -> None:
    assert Run(uri, "seq", "300000").out == b"".join(b"%d\n" % n for n in range(1, 300001))


def test_lines_of_several_tasks_do_not_mix(uri: str) -> None:
    lines = Run(
        uri, "-n4", "sh", "-c", "for i in $(seq 500); do printf $FLUX_TASK_RANK; echo $FLUX_TASK_RANK; done"
    ).lines
    assert lines == sorted(f"{rank}{rank}" for rank in range(4) for _ in range(500))


def test_labels_name_the_task_of_each_line(uri: str) -> None:
    assert Run(uri, "-l", "-n2", "printf", r"a\n\nb\n").lines == sorted(
        f"{n}: {text}" for n in (0, 1) for text in ("a", "", "b")
    )
    assert Run(uri, "-l", "printf", "no end").out == b"0: no end\n"


def test_unbuffered_output_comes_before_its_line_ends(uri: str) -> None:
    with begun(uri, "-u", "sh", "-c", "printf prompt; read answer; echo $answer", stdin=subprocess.PIPE) as run:
        assert run.stdin is not None
        assert run.stdout is not None
        assert run.stdout.read(6) == "prompt"
        assert run.communicate("yes\n") == ("yes\n", "")


def test_output_goes_to_files_by_template(uri: str, tmp_path: Path) -> None:
    script = "echo out $FLUX_TASK_RANK; echo err >&2"
    assert Run(uri, "-n2", "--output={{name}}.{{taskid}}", "sh", "-c", script, cwd=tmp_path).out == b""
    assert sorted((tmp_path / "sh.1").read_text().splitlines()) == ["err", "out 1"]
    Run(uri, "-n2", "--output=o.{{size}}.{{nnodes}}", "--error=e", "sh", "-c", script, cwd=tmp_path)
    assert sorted((tmp_path / "o.2.1").read_text().splitlines()) == ["out 0", "out 1"]
    assert (tmp_path / "e").read_text() == "err\nerr\n"
    Run(uri, "--output={{nosuch}}", "echo", "hi", cwd=tmp_path)
    assert (tmp_path / "{{nosuch}}").read_text() == "hi\n"
    done = Run(uri, "--output=/nowhere/x", "echo", "hi")
    assert done.code != 0
    assert "type=exec severity=0 /nowhere/x: No such file or directory\n" in done.err


def test_stdin_reaches_every_task_to_its_end(uri: str) -> None:
    data = os.urandom(3_000_000)
    (first, second) = Run(uri, "-n2", "md5sum", input=data).lines
    assert first == second
    assert Run(uri, "cat", input=data).out == data
    assert Run(uri, "cat").out == b""
    assert Run(uri, "true", input=data).code == 0


def test_input_may_come_from_a_file_or_from_nowhere(uri: str, tmp_path: Path) -> None:
    (tmp_path / "in").write_text("hello\n")
    assert Run(uri, "-n2", "--input=in", "cat", cwd=tmp_path).out == b"hello\nhello\n"
    assert "type=exec severity=0 /nowhere: No such file or directory\n" in Run(uri, "--input=/nowhere", "cat").err
    closed = subprocess.run(
        ["sh", "-c", 'exec "$@" <&-', "sh", *FLUX, "run", "cat"],
        env=os.environ | {"FLUX_URI": uri},
        capture_output=True,
    )
    assert (closed.returncode, closed.stdout, closed.stderr) == (0, b"", b"")


def test_who_stops_reading_ends_the_job(uri: str) -> None:
    with begun(uri, "yes") as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "y\n"
        run.stdout.close()
    assert run.returncode == -signal.SIGPIPE


def test_verbose_says_which_job_it_is_and_where(uri: str) -> None:
    lines = Run(uri, "-vvv", "-n5", "true").err.splitlines()
    assert lines[0].startswith("flux-run: jobid: ƒ")
    assert any(
        line.endswith('exec.shell.start {"taskmap":{"map":[[0,2,2,1],[2,1,1,1]],"version":1}}') for line in lines
    )
    assert any('job.alloc {"annotations":{"sched":{"resource_summary":"rank[0-1]' in line for line in lines)


# -- signals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM])
def test_signals_are_passed_on_to_all_tasks(uri: str, signum: signal.Signals) -> None:
    with begun(uri, "-n2", "sh", "-c", "echo up; exec sleep 1000") as run:
        assert run.stdout is not None
        assert run.stdout.readline() + run.stdout.readline() == "up\nup\n"
        run.send_signal(signum)
        _, err = run.communicate()
    assert (run.returncode, err) == (128 + signum, f"flux-run: task(s) {signal.strsignal(signum)}\n")


def test_a_second_interrupt_cancels(uri: str) -> None:
    with begun(uri, "sh", "-c", "echo up; exec sleep 1000") as run:
        assert run.stdout is not None
        assert run.stderr is not None
        assert run.stdout.readline() == "up\n"
        run.send_signal(signal.SIGINT)
        assert run.stderr.readline() == "flux-run: one more ctrl-C within 2s to cancel or ctrl-Z to detach\n"
        run.send_signal(signal.SIGINT)
        _, err = run.communicate()
    assert "type=cancel severity=0 interrupted by ctrl-C\n" in err
    assert run.returncode == 143


def test_control_c_and_control_z_leave_the_job_to_be_attached_again(uri: str) -> None:
    with begun(uri, "-v", "sh", "-c", "echo up; trap 'exit 4' USR1; sleep 1000 & wait") as run:
        assert run.stdout is not None
        assert run.stderr is not None
        assert run.stdout.readline() == "up\n"
        id = run.stderr.readline().split()[-1]
        run.send_signal(signal.SIGINT)
        run.stderr.readline()
        run.send_signal(signal.SIGTSTP)
        assert run.communicate() == ("", "flux-run: detaching...\n")
    done = flux_command("job", "kill", "-s", "USR1", id, env={"FLUX_URI": uri})
    assert done == (0, "", "")
    assert flux_command("job", "attach", id, env={"FLUX_URI": uri})[:2] == (4, "up\n")


HOLDER = "while kill -0 $0 2>/dev/null; do sleep 0.01; done; echo up; exec sleep 1000"
"""Says so when the task is gone, and holds its output open from a session of its own."""


def test_who_holds_a_task_s_output_open_ends_by_a_signal_to_the_job(uri: str) -> None:
    with begun(uri, "sh", "-c", f"setsid sh -c '{HOLDER}' $$ & exit 3") as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "up\n"
        run.send_signal(signal.SIGTERM)
        assert run.stdout.read() == ""
        run.communicate()
    assert run.returncode == 3


def test_control_c_on_a_terminal_is_for_us_and_the_session_stays(uri: str) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(FLUX[0], [*FLUX, "run", "sh", "-c", "echo up; exec sleep 1000"], os.environ | {"FLUX_URI": uri})
    said = b""
    for wanted in (b"up", b"one more ctrl-C"):
        while wanted not in said:
            said += os.read(terminal, 100)
        os.write(terminal, b"\x03")
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 143
    assert Run(uri, "echo", "still here").out == b"still here\n"


# -- MPI ------------------------------------------------------------------------------------------------------------


def test_mpi_programs_find_each_other(uri: str) -> None:
    pytest.importorskip("mpi4py")
    done = Run(uri, "-n4", sys.executable, str(EXAMPLES / "mpi_hello.py"))
    assert done.lines == [f"rank {rank} of 4: all our ranks add up to 6" for rank in range(4)]
    assert (done.code, done.err) == (0, "")


def test_an_mpi_program_that_aborts_ends_all_with_its_code(uri: str) -> None:
    pytest.importorskip("mpi4py")
    program = "from mpi4py import MPI; w = MPI.COMM_WORLD; w.Abort(5) if w.rank == 1 else w.Barrier()"
    done = Run(uri, "-n3", sys.executable, "-c", program)
    assert done.code == 5
    assert "type=exec severity=0 task 1 called PMI_Abort" in done.err


def test_a_directory_that_is_not_utf8_is_named(uri: str, tmp_path: Path) -> None:
    directory = tmp_path / os.fsdecode(b"d\xff")
    directory.mkdir()
    for command in ("run", "exec"):
        done = flux_command(command, "pwd", env={"FLUX_URI": uri}, cwd=directory)
        assert done == (1, "", f"flux-{command}: {str(directory)!a}: not UTF-8\n")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says what the environment of others is")
def test_who_leaves_its_job_s_session_ends_with_the_job_all_the_same(uri: str, tmp_path: Path) -> None:
    fifo = tmp_path / "held"
    os.mkfifo(fifo)
    leave = f"(setsid sh -c 'echo here; exec sleep 1000' <&- >{fifo} 2>&- &); read line"
    words = [*FLUX, "run", "sh", "-c", leave]
    with subprocess.Popen(words, stdin=subprocess.PIPE, env=os.environ | {"FLUX_URI": uri}) as run:
        with fifo.open("rb") as held:  # there is somebody who writes
            assert held.readline() == b"here\n"
            assert run.stdin is not None
            run.stdin.close()
            assert held.read() == b""  # and nobody any more
        assert run.wait() == 1  # `read` has met the end
