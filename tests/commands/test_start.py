"""`flux start` and `flux broker`, with real sessions. Who is left behind holds our pipe: its end proves nobody is."""

import os
import pty
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import PIPE
from tempfile import TemporaryDirectory

import pytest

import flux

FLUX = [sys.executable, "-P", "-c", "import sys; from flux.commands.front import main; sys.exit(main())"]
WHERE = "import flux; h = flux.Flux(); print(h.attr_get('rank'), h.attr_get('size'))"


def start(tmp_path: Path, *words: str, command: str = "start", **env: str) -> tuple[int, str, str]:
    """Runs a session to its end; checks that nothing of it is left."""
    done = subprocess.run(
        [*FLUX, command, *words],
        env=os.environ | {"TMPDIR": str(tmp_path)} | env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert list(tmp_path.iterdir()) == []
    return done.returncode, done.stdout, done.stderr


@contextmanager
def session(
    tmp_path: Path, *words: str, script: str = "echo $FLUX_URI; exec sleep 1000"
) -> Iterator["subprocess.Popen[str]"]:
    """A session that runs a script which first says where it is; `uri` is what it said."""
    with subprocess.Popen(
        [*FLUX, "start", *words, "sh", "-c", script],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        process.uri = process.stdout.readline().strip()  # type: ignore[attr-defined]
        yield process
        process.communicate()
    assert list(tmp_path.iterdir()) == []


def broker_pid(process: "subprocess.Popen[str]", rank: int) -> int:
    """The process of one broker of a session."""
    uri: str = process.uri  # type: ignore[attr-defined]
    with flux.Flux(uri.rpartition("-")[0] + f"-{rank}") as handle:
        return int(handle.attr_get("broker.pid"))


# -- sessions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("words", "size"), [([], 1), (["--size=1"], 1), (["-s", "3"], 3), (["--test-size", "8"], 8)])
def test_a_session_has_the_size_that_was_asked_for(tmp_path: Path, words: list[str], size: int) -> None:
    assert start(tmp_path, *words, sys.executable, "-c", WHERE) == (0, f"0 {size}\n", "")


@pytest.mark.parametrize("words", [[], ["-s1"], ["-s3"]])
def test_the_exit_code_is_that_of_the_command(tmp_path: Path, words: list[str]) -> None:
    assert start(tmp_path, *words, "exit 7")[0] == 7
    assert start(tmp_path, *words, "kill -9 $$")[0] == 137
    code, _, err = start(tmp_path, *words, "nosuchcmd", "x")
    assert (code, err) == (127, "flux-broker: nosuchcmd: No such file or directory\n")


def test_flux_broker_is_a_session_of_one(tmp_path: Path) -> None:
    assert start(tmp_path, sys.executable, "-c", WHERE, command="broker") == (0, "0 1\n", "")


def test_attributes_are_set_by_options(tmp_path: Path) -> None:
    program = "import flux; print(flux.Flux().attr_get('vendor.mine'))"
    assert start(tmp_path, "-s2", "-S", "vendor.mine=x=1", sys.executable, "-c", program) == (0, "x=1\n", "")
    assert start(tmp_path, "-s2", "-o", "-Svendor.mine=2", sys.executable, "-c", program) == (0, "2\n", "")


def test_brokers_are_named_by_their_rank(tmp_path: Path) -> None:
    with session(tmp_path, "-s2") as running:
        assert Path(f"/proc/{broker_pid(running, 1)}/comm").read_text() == "flux-broker-1\n"
        running.terminate()


def test_a_command_that_leaves_something_behind_does_not(tmp_path: Path) -> None:
    assert start(tmp_path, "-s2", "setsid sleep 1000 & echo done")[:2] == (0, "done\n")
    assert start(tmp_path, "setsid sleep 1000 & echo done")[:2] == (0, "done\n")


def test_a_session_that_ends_tells_its_jobs_so(tmp_path: Path) -> None:
    job = "flux run -n2 sh -c 'echo up; exec sleep 1000'"
    script = f"mkfifo $TMPDIR/up; {job} >$TMPDIR/up & exec 3<$TMPDIR/up; rm $TMPDIR/up; read a <&3; read b <&3; exit 3"
    code, _, err = start(tmp_path, "-s2", script)
    said, ended = err.splitlines()
    assert said.endswith(" type=cancel severity=0 the instance ends")
    assert (code, ended) == (3, "flux-run: task(s) Terminated")


def test_a_session_in_a_job_of_a_session(tmp_path: Path) -> None:
    words = ["-s2", *FLUX, "run", "-n2", *FLUX, "start", sys.executable, "-c", WHERE]
    assert start(tmp_path, *words) == (0, "0 2\n", "")


@pytest.mark.parametrize("inner", ["flux start", "flux start -s2 -Stbon.prefertcp=1", "flux run -n1 flux start -s2"])
def test_a_session_in_a_session_is_a_level_below_it(tmp_path: Path, inner: str) -> None:
    level = "flux getattr instance-level"
    words = f"{level}; {inner} '{level}; flux start flux getattr instance-level; flux --parent getattr instance-level'"
    assert start(tmp_path, words) == (0, "0\n1\n2\n0\n", "")


def test_a_session_in_a_job_knows_which_job_and_tells_its_own(tmp_path: Path) -> None:
    inner = "flux getattr jobid; flux getattr jobid-path; echo $FLUX_ENCLOSING_ID $FLUX_JOB_ID"
    outer = f"flux run -v -n2 flux start '{inner}; flux run env'"
    code, out, err = start(tmp_path, "-s2", outer)
    job, path, enclosing, *env = out.splitlines()
    assert (code, err) == (0, f"flux-run: jobid: {job}\n")
    assert (path, enclosing) == (f"/{job}", job)
    (inside,) = (line.partition("=")[2] for line in env if line.startswith("FLUX_JOB_ID="))
    assert {f"FLUX_JOB_ID_PATH=/{job}/{inside}", f"FLUX_ENCLOSING_ID={job}"} <= {*env}


def test_a_session_in_no_job_has_no_job_s_variables(tmp_path: Path) -> None:
    around = {"FLUX_JOB_ID_PATH": "/f1", "FLUX_ENCLOSING_ID": "f1"}
    program = "flux getattr jobid-path; flux getattr jobid; env | grep -c -e ENCLOSING -e ID_PATH"
    missing = "flux-getattr: jobid: No such attribute\n"
    assert start(tmp_path, "-s2", program, **around) == (1, "/\n0\n", missing)


# -- bad input ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["-s0"], "argument -s/--size/--test-size: '0' is not a number of brokers (1 or more)"),
        (["--size=many"], "argument -s/--size/--test-size: 'many' is not a number of brokers (1 or more)"),
        (["-s-1"], "argument -s/--size/--test-size: '-1' is not a number of brokers (1 or more)"),
        (["--sice=2"], "unrecognized arguments: --sice=2"),
        (["-Snothing"], "argument -S/--setattr: 'nothing' is not ATTR=VAL"),
        (["-o", "--wild"], "unrecognized arguments: --wild"),
    ],
)
def test_bad_options_are_one_clear_line(tmp_path: Path, words: list[str], why: str) -> None:
    assert start(tmp_path, *words, "true") == (2, "", f"flux-start: {why} (see `flux start --help`)\n")


@pytest.mark.parametrize("words", [["-s2"], []])
def test_a_run_directory_that_cannot_be_is_named(tmp_path: Path, words: list[str]) -> None:
    code, _, err = start(tmp_path, *words, "-Srundir=/nowhere/run", "true")
    assert (code, err) == (1, "flux-start: /nowhere/run: No such file or directory\n")


@pytest.mark.parametrize("signum", [None, signal.SIGKILL])
def test_a_run_directory_that_was_there_stays_with_what_is_in_it(signum: signal.Signals | None) -> None:
    with TemporaryDirectory(dir="/tmp") as below:  # tmp_path may be too long for sockets
        (Path(below) / "precious").write_text("x")
        script = "flux getattr rundir; cd /; flux run true && echo ran; cat"
        words = [*FLUX, "start", "-s2", "-S", "rundir=.", "sh", "-c", script]
        with subprocess.Popen(words, cwd=below, stdin=PIPE, stdout=PIPE, stderr=PIPE, text=True) as running:
            assert running.stdout is not None
            assert [running.stdout.readline() for _ in "12"] == [f"{below}\n", "ran\n"]
            if signum is not None:
                running.send_signal(signum)
            running.communicate()
        assert [path.name for path in Path(below).iterdir()] == ["precious"]


def test_a_run_directory_that_was_not_there_is_made_and_removed() -> None:
    with TemporaryDirectory(dir="/tmp") as below:
        assert start(Path(below), "-s2", f"-Srundir={below}/run", f"ls {below}") == (0, "run\n", "")


@pytest.mark.parametrize("second", [["start", "-s3"], ["start"], ["broker"]])
def test_a_run_directory_that_a_session_uses_is_refused(tmp_path: Path, second: list[str]) -> None:
    with TemporaryDirectory(dir="/tmp") as where, session(tmp_path, "-s2", f"-Srundir={where}") as running:
        pid = broker_pid(running, 0)
        code, out, err = start(tmp_path, *second[1:], f"-Srundir={where}", "echo up", command=second[0])
        assert broker_pid(running, 1)
        running.terminate()
    assert (code, out) == (1, "")
    assert err.endswith(f"rundir {where}: in use by another session: flux-broker-0, pid {pid}\n")
    assert err.count("\n") == 1


def test_too_few_open_files_are_a_refusal_with_the_numbers(tmp_path: Path) -> None:
    words = ["sh", "-c", 'ulimit -n 64; exec "$@"', "sh", *FLUX, "start"]
    for size, what in (("24", "a broker with its children needs 86"), ("999999", "a session of 999999 needs 2000014")):
        done = subprocess.run(
            [*words, "-s", size, "true"], env=os.environ | {"TMPDIR": str(tmp_path)}, capture_output=True, text=True
        )
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == f"flux-start: {what} open files, 64 are allowed (see `ulimit -n`)\n"
    assert list(tmp_path.iterdir()) == []


def test_a_tmpdir_that_is_not_there_is_named(tmp_path: Path) -> None:
    code, _, err = start(tmp_path, "-s2", "true", TMPDIR="/nowhere")
    assert code == 1
    assert err.startswith("flux-start: /nowhere/flux-")
    assert err.endswith(": No such file or directory\n")


def test_a_tmpdir_that_is_too_long_for_sockets_does_not_matter(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 90)
    long.mkdir()
    for words in (["-s2"], []):
        done = subprocess.run(
            [*FLUX, "start", *words, "true"], env=os.environ | {"TMPDIR": str(long)}, capture_output=True
        )
        assert (done.returncode, done.stderr) == (0, b"")
    long.rmdir()


def test_a_directory_that_is_gone_is_named(tmp_path: Path) -> None:
    script = 'mkdir gone && cd gone && rmdir ../gone && exec "$@"'
    done = subprocess.run(
        ["sh", "-c", script, "sh", *FLUX, "start", "true"], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (1, "flux-start: the current directory is gone\n")


@pytest.mark.parametrize("words", [["-s3"], []])
def test_a_broker_that_cannot_start_is_named(tmp_path: Path, words: list[str]) -> None:
    code, out, err = start(tmp_path, *words, "-S", "heartbeat.period=never", "echo up")
    assert (code, out) == (1, "")
    assert "flux-broker: rank 0: heartbeat.period: 'never' is not a duration" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("size", [["-s3"], []])
@pytest.mark.parametrize(
    ("setting", "why"),
    [
        ("tbon.topo=foo", "tbon.topo: unknown topology 'foo' (known: kary:K, mincrit, "),
        ("tbon.topo=kary:x", "tbon.topo: unknown topology 'kary:x' (known: kary:K, "),
        ("broker.quorum=9", "-S broker.quorum: '9' is not a number from 1 to the size, "),
        ("rank=3", "-S rank: this attribute says how things are, it cannot be set"),
    ],
)
def test_an_attribute_that_cannot_be_is_one_clear_line(tmp_path: Path, size: list[str], setting: str, why: str) -> None:
    code, out, err = start(tmp_path, *size, "-S", setting, "echo up")
    assert (code, out) == (1, "")
    assert why in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("reply", [b"HTTP/1.1 400 Bad Request\r\n", b"cmd=maxes rc=0\n", b""])
def test_a_pmi_server_that_talks_nonsense_is_one_clear_line(reply: bytes) -> None:
    ours, theirs = socket.socketpair()
    ours.sendall(reply)
    ours.shutdown(socket.SHUT_WR)
    with ours, theirs:
        env = os.environ | {"PMI_FD": str(theirs.fileno()), "PMI_RANK": "0", "PMI_SIZE": "2"}
        words = [*FLUX, "broker", "true"]
        done = subprocess.run(words, env=env, pass_fds=[theirs.fileno()], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("flux-broker: PMI server")
    assert done.stderr.count("\n") == 1


# -- signals and sudden death ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [["-s3"], []])
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_the_session_in_order(tmp_path: Path, words: list[str], signum: signal.Signals) -> None:
    with session(tmp_path, *words) as running:
        running.send_signal(signum)
    assert running.returncode == 128 + signum


@pytest.mark.parametrize(("words", "rank"), [([], 0), (["-s3"], 0), (["-s3"], 1), (["-s3"], 2)])
def test_a_broker_that_is_killed_leaves_nothing_behind(tmp_path: Path, words: list[str], rank: int) -> None:
    with session(tmp_path, *words, script="echo $FLUX_URI; setsid sleep 1000 & exec sleep 1000") as running:
        pid = broker_pid(running, rank)
        os.kill(pid, signal.SIGKILL)
        assert running.stderr is not None
        assert f"flux-start: {rank} (pid {pid}) Killed\n" in iter(running.stderr.readline, "")
        if rank:  # the others go on
            running.terminate()
    assert running.returncode == (143 if rank else 137)


@pytest.mark.parametrize("words", [["-s3"], []])
def test_a_launcher_that_is_killed_takes_the_session_along(tmp_path: Path, words: list[str]) -> None:
    with session(tmp_path, *words) as running:
        running.kill()


def test_control_c_reaches_the_command_and_not_the_session(tmp_path: Path) -> None:
    script = "trap 'echo caught' INT; flux getattr rank; echo up; read line; flux getattr rank; echo end $line; exit 3"
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["TMPDIR"] = str(tmp_path)
        os.execvp(FLUX[0], [*FLUX, "start", "-s2", "bash", "-c", script])
    said = read_until(terminal, b"up\r\n")
    os.write(terminal, b"\x03")
    said += read_until(terminal, b"caught\r\n")
    os.write(terminal, b"line\n")
    said += read_until(terminal, b"end line\r\n")
    assert said.count(b"caught") == 1  # rank 0 has had it too, and must not have passed it on
    code, rest = ended(pid, terminal)
    assert code == 3, rest
    assert list(tmp_path.iterdir()) == []


def test_an_interactive_shell_survives_control_c(tmp_path: Path) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ |= {"TMPDIR": str(tmp_path), "SHELL": "/bin/bash", "HOME": str(tmp_path)}
        os.execvp(FLUX[0], [*FLUX, "start", "-s2"])
    os.write(terminal, b"PS1=re''ady'>'\n")
    read_until(terminal, b"ready>")
    os.write(terminal, b"sh -c 'echo u''p; exec sleep 1000'\n")  # in the foreground before it says so
    read_until(terminal, b"up\r\n")
    os.write(terminal, b"\x03")
    read_until(terminal, b"ready>")
    os.write(terminal, b"exit 5\n")
    code, rest = ended(pid, terminal)
    assert code == 5, rest


def ended(pid: int, terminal: int) -> tuple[int, bytes]:
    """The exit code of what runs on a terminal, and what it still said."""
    said = b""
    with suppress(OSError):  # how the end of a terminal looks
        while data := os.read(terminal, 1024):
            said += data
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    return os.waitstatus_to_exitcode(status), said


def read_until(descriptor: int, end: bytes) -> bytes:
    """Reads a terminal up to some text."""
    data = b""
    while end not in data:
        try:
            data += os.read(descriptor, 1024)
        except OSError:
            raise AssertionError(f"the terminal closed after {data!r}") from None
    return data


# -- other launchers ------------------------------------------------------------------------------------------------

HYDRAS = [
    str(path) for path in (Path(sys.executable).parent / "mpiexec", Path("/usr/bin/mpiexec.hydra")) if path.exists()
]


@pytest.mark.skipif(not HYDRAS, reason="no mpiexec here")
@pytest.mark.parametrize("mode", [[], ["-pmi-port"]])
@pytest.mark.parametrize("mpiexec", HYDRAS)
def test_mpiexec_starts_one_session(tmp_path: Path, mpiexec: str, mode: list[str]) -> None:
    words = [mpiexec, *mode, "-n", "4", *FLUX, "start", sys.executable, "-c", WHERE]
    done = subprocess.run(words, env=os.environ | {"TMPDIR": str(tmp_path)}, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "0 4\n", "")
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("flux-")]


def test_the_command_of_this_session_is_first_in_path(tmp_path: Path) -> None:
    if shutil.which("flux", path=str(Path(sys.executable).parent)) is None:
        pytest.skip("flux is not installed beside this Python")
    assert start(tmp_path, "-s2", "command -v flux")[1] == f"{Path(sys.executable).parent}/flux\n"
