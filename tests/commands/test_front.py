"""The `flux` command before a command of ours has begun, and after it has ended."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from flux.commands import front
from flux.commands.table import CATEGORIES, COMMANDS, module_name
from tests.session import FLUX, Session, flux


def plugin(directory: Path, name: str, text: str) -> dict[str, str]:
    """A program in a directory that FLUX_EXEC_PATH names."""
    path = directory / name
    path.write_text(text)
    path.chmod(0o755)
    return {"FLUX_EXEC_PATH": str(directory)}


def test_our_options_end_where_the_command_begins() -> None:
    assert front.split(["-pv", "--root", "ping", "-v", "3"]) == (["parent", "verbose", "root"], ["ping", "-v", "3"])
    assert front.split(["--", "-x"]) == ([], ["-x"])
    assert front.split([]) == ([], [])


def test_each_command_of_the_table_has_a_module() -> None:
    here = Path(front.__file__).parent
    assert [name for name in COMMANDS if not (here / f"{module_name(name).split('.')[-1]}.py").is_file()] == []


def test_help_lists_all_commands_by_category() -> None:
    done = flux("help")
    assert done.code == 0
    for category, commands in CATEGORIES.items():
        assert f"\n{category}:\n" in done.out
        assert all(f"\n  {name} " in done.out and summary in done.out for name, summary in commands.items())
    assert flux("--help").out == done.out


def test_without_a_command_the_list_goes_to_stderr_and_is_an_error() -> None:
    done = flux()
    assert (done.code, done.out) == (1, "")
    assert "usage: flux [OPTIONS] COMMAND" in done.err


@pytest.mark.parametrize("words", [["help", "ping"], ["ping", "--help"], ["--help", "ping"], ["help", "flux-ping"]])
def test_help_of_one_command_is_the_same_by_all_ways(words: list[str]) -> None:
    done = flux(*words)
    assert done.code == 0
    assert done.out.startswith("usage: flux ping ")


def test_help_goes_down_into_the_commands_of_a_command() -> None:
    assert flux("help", "module", "load").out.startswith("usage: flux module load ")


def test_version_is_an_option_too() -> None:
    assert flux("-V").out == flux("version").out != ""


def test_an_unknown_option_of_flux_itself_is_named() -> None:
    done = flux("--frob", "ping")
    assert done == (2, "", "flux: unrecognized option 'frob' (see `flux --help`)\n")


def test_an_unknown_command_is_named_and_one_like_it_suggested() -> None:
    done = flux("pign")
    assert (done.code, done.out) == (1, "")
    assert done.err == "flux: `pign' is not a flux command. See 'flux --help'\nflux: did you mean `ping`?\n"


def test_an_unknown_command_unlike_all_others_gets_no_suggestion() -> None:
    assert flux("xyzzy").err == "flux: `xyzzy' is not a flux command. See 'flux --help'\n"


def test_help_of_an_unknown_command_is_the_same_error() -> None:
    assert flux("help", "xyzzy") == (1, "", "flux: `xyzzy' is not a flux command. See 'flux --help'\n")


def test_a_program_in_the_exec_path_is_a_command(tmp_path: Path) -> None:
    env = plugin(tmp_path, "flux-greet", '#!/bin/sh\necho "hello $*"; exit 7\n')
    assert flux("greet", "-n", "you", env=env) == (7, "hello -n you\n", "")
    assert "\nPlug-ins:\n  greet\n" in flux("help", env=env).out
    assert flux("help", "greet", env=env).out == "hello --help\n"


def test_a_python_file_in_the_exec_path_runs_in_our_python(tmp_path: Path) -> None:
    env = plugin(tmp_path, "flux-which.py", "import sys, flux; print(sys.prefix, *sys.argv[1:])\n")
    assert flux("which", "a", env=env).out == f"{sys.prefix} a\n"


def test_a_program_goes_before_a_python_file_of_its_directory(tmp_path: Path) -> None:
    plugin(tmp_path, "flux-both.py", "print('python')\n")
    env = plugin(tmp_path, "flux-both", "#!/bin/sh\necho program\n")
    assert flux("both", env=env).out == "program\n"


def test_path_is_searched_last(tmp_path: Path) -> None:
    first, last = tmp_path / "first", tmp_path / "last"
    first.mkdir()
    last.mkdir()
    plugin(last, "flux-where", "#!/bin/sh\necho last\n")
    path = {"PATH": f"{last}:{os.environ['PATH']}"}
    assert flux("where", env=path).out == "last\n"
    assert flux("where", env=path | plugin(first, "flux-where", "#!/bin/sh\necho first\n")).out == "first\n"


def test_what_cannot_be_executed_is_no_command(tmp_path: Path) -> None:
    (tmp_path / "flux-nothing").write_text("#!/bin/sh\n")
    assert flux("nothing", env={"FLUX_EXEC_PATH": str(tmp_path)}).code == 1


def test_a_program_that_the_system_refuses_is_named(tmp_path: Path) -> None:
    env = plugin(tmp_path, "flux-broken", "#!/no/such/interpreter\n")
    assert flux("broken", env=env) == (1, "", f"flux-broken: {tmp_path}/flux-broken: No such file or directory\n")


def test_a_command_with_a_slash_is_a_path(tmp_path: Path) -> None:
    plugin(tmp_path, "tool", "#!/bin/sh\necho tool $1\n")
    assert flux(f"{tmp_path}/tool", "x").out == "tool x\n"


def test_verbose_shows_the_environment_and_where_it_looks(tmp_path: Path) -> None:
    out = flux("-v", "greet", env=plugin(tmp_path, "flux-greet", "#!/bin/sh\necho hello\n")).out
    assert f"\nFLUX_EXEC_PATH={tmp_path}:" in out
    assert out.endswith(f"trying to exec {tmp_path}/flux-greet\nhello\n")


def test_what_a_command_starts_finds_this_flux(tmp_path: Path) -> None:
    env = plugin(tmp_path, "flux", "#!/bin/sh\necho another\n") | {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    assert flux("env", "flux", "help", "ping", env=env).out.startswith("usage: flux ping")


# -- ends -----------------------------------------------------------------------------------------------------------


def test_an_os_error_is_one_line_that_names_the_command() -> None:
    def fail() -> int:
        return os.open("/no/such/file", os.O_RDONLY)

    assert front.guarded("flux-x", fail) == 1


def test_errors_name_the_file_that_they_are_about(capsys: pytest.CaptureFixture[str]) -> None:
    front.guarded("flux-x", lambda: os.open("/no/such/file", os.O_RDONLY))
    assert capsys.readouterr().err == "flux-x: /no/such/file: No such file or directory\n"


def test_a_bug_is_one_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert front.guarded("flux-x", lambda: int("x")) == 1
    error = capsys.readouterr().err
    assert error == "flux-x: internal error: ValueError: invalid literal for int() with base 10: 'x'\n"


def test_verbose_shows_where_a_bug_is(capsys: pytest.CaptureFixture[str]) -> None:
    front.guarded("flux-x", lambda: int("x"), verbose=True)
    assert capsys.readouterr().err.startswith("Traceback (most recent call last):\n")


@pytest.mark.parametrize(("raised", "code"), [(None, 0), (3, 3), ("why", 1)])
def test_a_command_may_end_the_program(raised: str | int | None, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert front.guarded("flux-x", lambda: sys.exit(raised)) == code
    assert capsys.readouterr().err == ("flux-x: why\n" if raised == "why" else "")


def test_control_c_leaves_no_traceback() -> None:
    def interrupted() -> int:
        signal.raise_signal(signal.SIGINT)
        return 0

    assert front.guarded("flux-x", interrupted) == 130


def test_control_c_where_nobody_can_catch_it_counts() -> None:
    code = """
import sys
from flux.commands import front
class Late:
    def __del__(self):
        raise KeyboardInterrupt
sys.unraisablehook = front.unraisable
Late()
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == 130


def test_a_reader_that_leaves_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([FLUX, "help"], stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_full_disk_is_an_error() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run([FLUX, "help"], stdout=full, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (1, "flux-help: No space left on device\n")


def test_closed_standard_streams_are_no_error() -> None:
    done = subprocess.run(["sh", "-c", f"{FLUX} help >&- 2>&-"])
    assert done.returncode == 0


# -- surroundings ---------------------------------------------------------------------------------------------------


def in_a_directory_that_is_gone(tmp_path: Path, *words: str, uri: str = "") -> tuple[int, str, str]:
    """Runs a program where no directory is any more."""
    script = 'mkdir gone && cd gone && rmdir ../gone && exec "$@"'
    env = os.environ | {"FLUX_URI": uri}
    done = subprocess.run(["sh", "-c", script, "sh", *words], cwd=tmp_path, capture_output=True, text=True, env=env)
    return done.returncode, done.stdout, done.stderr


def test_the_package_can_be_imported_where_the_current_directory_is_gone(tmp_path: Path) -> None:
    code = "import sys; sys.path.insert(0, ''); import flux; print(flux.constants.FLUX_NODEID_ANY)"
    assert in_a_directory_that_is_gone(tmp_path, sys.executable, "-c", code) == (0, "4294967295\n", "")


@pytest.mark.parametrize("line", ["run true", "exec true", "module load ./mine.py", "run --cwd=x true"])
def test_a_current_directory_that_is_gone_is_named(session: Session, tmp_path: Path, line: str) -> None:
    code, _, err = in_a_directory_that_is_gone(tmp_path, FLUX, *line.split(), uri=session.uri)
    assert (code, err) == (1, f"flux-{line.split()[0]}: the current directory is gone\n")


def test_who_needs_no_current_directory_does_without(session: Session, tmp_path: Path) -> None:
    for line, said in (("getattr size", "4\n"), ("run --cwd=/ pwd", "/\n"), ("exec -r0 -d / pwd", "/\n")):
        assert in_a_directory_that_is_gone(tmp_path, FLUX, *line.split(), uri=session.uri) == (0, said, "")


@pytest.mark.parametrize("line", ["event pub", "ping", "getattr", "kvs get", "barrier", "module load"])
def test_what_is_not_utf_8_is_refused_in_one_line(session: Session, line: str) -> None:
    words = [FLUX.encode(), *line.encode().split(), b"a\xff"]
    done = subprocess.run(words, capture_output=True, env=os.environ | {"FLUX_URI": session.uri})
    assert done.returncode == 1
    assert b"not UTF-8" in done.stderr
    assert b"internal error" not in done.stderr
    assert done.stderr.count(b"\n") == 1


def test_a_full_disk_is_not_the_fault_of_what_was_asked_for(session: Session) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here")
    with open("/dev/full", "w") as full:
        words = [FLUX, "getattr", "size"]
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, env=os.environ | {"FLUX_URI": session.uri})
    assert (done.returncode, done.stderr) == (1, b"flux-getattr: No space left on device\n")


@pytest.mark.parametrize("line", ["dmesg", "lsattr", "logger", "run cat", "exec -r0 cat", "event pub a", "ping -c1 0"])
def test_a_command_whose_standard_streams_are_closed_does_its_work(session: Session, line: str) -> None:
    words = ["sh", "-c", '"$@" <&- >&- 2>&-', "sh", FLUX, *line.split()]
    assert subprocess.run(words, env=os.environ | {"FLUX_URI": session.uri}).returncode == 0
