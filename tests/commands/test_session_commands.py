"""`flux uptime`, `version`, `env`, `python`, `barrier` and `shutdown`."""

import json
import re
import sys
from pathlib import Path
from subprocess import PIPE, Popen

import pytest

from flux.base.version import INTERFACE, OWN
from flux.commands import env, uptime
from tests.session import FLUX, Session, flux
from tests.session import session as new_session

KNOWN = {"state": "run", "duration": 90.0, "owner": "ann", "depth": 1, "size": 8, "drained": 0, "offline": 0}


# -- uptime -----------------------------------------------------------------------------------------------------------


def test_uptime_is_one_line(session: Session) -> None:
    done = session.flux("uptime")
    assert re.fullmatch(r" \d\d:\d\d:\d\d run [0-9.]+(ms|s|m|h),  owner \S+,  depth 0,  size 4\n", done.out)


def test_uptime_has_json_for_programs(session: Session) -> None:
    found = json.loads(session.flux("uptime", "--json").out)
    assert (found["state"], found["size"], found["offline"], found["notices"]) == ("run", 4, 0, [])


def test_uptime_tells_what_is_missing() -> None:
    found = KNOWN | {"drained": 2, "offline": 1, "notices": ["submit disabled", "scheduler stopped"]}
    assert uptime.summary(found, "01:02:03") == (
        " 01:02:03 run 1.5m,  owner ann,  depth 1,  size 8,  2 drained,  1 offline\n"
        "  submit disabled,  scheduler stopped"
    )


def test_uptime_names_a_user_without_a_name_by_number() -> None:
    assert uptime.user(4_000_000_000) == "4000000000"


# -- version ----------------------------------------------------------------------------------------------------------


def test_version_shows_the_interface_and_our_own() -> None:
    lines = [line.split() for line in flux("version").out.splitlines()]
    assert lines == [["commands:", INTERFACE], ["libflux-core:", INTERFACE], ["fluxrm:", OWN]]


def test_version_shows_the_broker_of_the_session(session: Session) -> None:
    found = json.loads(session.flux("version", "--json").out)
    assert (found["broker"], found["FLUX_URI"], found["fluxrm"]) == (INTERFACE, session.uri, OWN)


def test_version_of_the_command_needs_no_broker() -> None:
    done = flux("version", env={"FLUX_URI": "local:///no/such", "FLUX_LOCAL_CONNECTOR_RETRY_COUNT": "0"})
    assert done.code == 1
    assert done.out == flux("version").out
    assert done.err.startswith("flux-version: ")


# -- env and python ---------------------------------------------------------------------------------------------------


def test_env_prints_what_a_shell_reads() -> None:
    done = flux("env", env={"FLUX_MODULE_PATH": "/a:/b:/a", "FLUX_MODULE_PATH_PREPEND": '/$c"'})
    assert 'export FLUX_MODULE_PATH="/\\$c\\":/a:/b"' in done.out.splitlines()
    assert all(re.match(r'export [A-Z_]+=".*"$', line) for line in done.out.splitlines())


def test_env_runs_something_with_flux_at_hand() -> None:
    assert flux("env", "sh", "-c", "command -v flux; exit 3", env={"PATH": "/usr/bin:/bin"}) == (3, f"{FLUX}\n", "")


def test_env_names_a_command_that_there_is_not() -> None:
    assert flux("env", "nosuchcmd") == (1, "", "flux-env: nosuchcmd: No such file or directory\n")


@pytest.mark.parametrize(("value", "text"), [("a b", "a b"), ('"', '\\"'), ("$x`y`\\", "\\$x\\`y\\`\\\\")])
def test_values_are_escaped(value: str, text: str) -> None:
    assert env.escaped(value) == text


def test_python_is_the_one_that_flux_runs_in(tmp_path: Path) -> None:
    code = "import flux, sys; print(sys.prefix, *sys.argv[1:]); sys.exit(3)"
    assert flux("python", "-c", code, "--help") == (3, f"{sys.prefix} --help\n", "")
    path = flux("python", "--get-path").out.strip()
    assert (Path(path) / "flux" / "__init__.py").is_file()
    version = f"python{sys.version_info.major}.{sys.version_info.minor}\n"
    assert flux("python", "--list-versions").out == version
    assert flux("python", "--help").out.startswith("usage: flux python")


# -- barrier ----------------------------------------------------------------------------------------------------------


def test_a_barrier_opens_when_all_have_come(session: Session) -> None:
    uri = session.uri.removesuffix("0")
    words = [FLUX, "barrier", "--nprocs", "4", "here"]
    waiting = [Popen(words, env={"FLUX_URI": f"{uri}{rank}"}, stderr=PIPE) for rank in range(4)]
    assert [(process.communicate()[1], process.returncode) for process in waiting] == [(b"", 0)] * 4


def test_a_barrier_for_nobody_makes_no_sense(session: Session) -> None:
    done = session.flux("barrier", "--nprocs", "0", "here")
    assert done.code == 1
    assert done.err == "flux-barrier: barrier here: nprocs must be at least 1, not 0\n"


# -- shutdown ---------------------------------------------------------------------------------------------------------


def running(size: int) -> tuple[Popen[str], Session]:
    """A session that runs until it is shut down."""
    words = [FLUX, "start", "--size", str(size), "sh", "-c", "echo $FLUX_URI; exec cat"]
    started = Popen(words, stdin=PIPE, stdout=PIPE, text=True)
    assert started.stdout is not None
    return started, Session(started.stdout.readline().strip())


@pytest.mark.parametrize("option", [[], ["--background"], ["--quiet"]])
def test_shutdown_ends_the_session(option: list[str]) -> None:
    started, session = running(2)
    with started:
        done = session.flux("shutdown", *option)
        assert (done.code, done.out) == (0, "")
        assert ("state finalize" in done.err) == (not option)
        assert started.wait() == 128 + 15
    assert not Path(session.uri.removeprefix("local://")).parent.exists()


def test_shutdown_of_another_session_by_its_uri() -> None:
    started, session = running(1)
    with started:
        assert flux("shutdown", session.uri).code == 0
        assert started.wait() > 128


def test_shutdown_is_for_rank_0() -> None:
    with new_session(2) as session:
        done = flux("shutdown", f"{session.uri[:-1]}1")
        assert done == (1, "", "flux-shutdown: shutdown.start is for rank 0 alone\n")


# -- from a session to the one around it ------------------------------------------------------------------------------


def test_parent_and_root_are_the_sessions_around(session: Session) -> None:
    inner = "flux getattr size; flux --parent getattr size; flux --root getattr size; flux -pp getattr size"
    done = session.flux("start", "--size", "2", inner)
    assert (done.code, done.out.split()) == (0, ["2", "4", "4", "4"])


def test_parent_of_the_outermost_session_is_itself(session: Session) -> None:
    assert session.flux("--parent", "getattr", "size").out == "4\n"
