"""`flux config` and what a configuration does to a session, with real ones."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.session import Session, flux
from tests.session import session as new_session

TEXT = """
[foo]
a = 42
b = "meep"
c = "50s"
d = 3.14
e = false
f = ["fubar", "barfu"]
[foo.bar]
a = true
[heartbeat]
period = "3s"
[tbon]
topo = "kary:1"
zmq_io_threads = 2
[access]
allow-guest-user = true
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a configuration."""
    path = tmp_path_factory.mktemp("conf.d")
    (path / "a.toml").write_text(TEXT)
    return path


@pytest.fixture(scope="module")
def session(files: Path) -> Iterator[Session]:
    """A session of three brokers, each the parent of the next, that has read it."""
    with new_session(3, "--config-path", str(files), "--conf", "said=1") as running:
        yield running


@pytest.fixture
def fresh(session: Session) -> Session:
    """The session with the configuration that its files say."""
    assert session.flux("config", "reload").code == 0
    return session


# -- looking ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "out"),
    [
        (["foo.a"], "42"),
        (["--type=integer", "foo.a"], "42"),
        (["--type=string", "foo.b"], "meep"),
        (["foo.b"], "meep"),
        (["--type=fsd", "foo.c"], "50s"),
        (["--type=fsd-integer", "foo.c"], "50"),
        (["--type=fsd-real", "foo.c"], "50.000000"),
        (["--type=real", "foo.d"], "3.14"),
        (["--type=boolean", "foo.e"], "false"),
        (["--type=array", "foo.f"], '["fubar","barfu"]'),
        (["--type=object", "foo.bar"], '{"a":true}'),
        (["-t", "boolean", "foo.bar.a"], "true"),
        (["-t", "any", "foo.bar.a"], "true"),
        (["--default=2", "foo.a"], "42"),
        (["-d", "2", "foo.nix"], "2"),
        (["said"], "1"),
    ],
)
def test_get_shows_a_value(fresh: Session, words: list[str], out: str) -> None:
    assert fresh.flux("config", "get", *words) == (0, f"{out}\n", "")


def test_get_shows_all_of_it(fresh: Session) -> None:
    values = json.loads(fresh.flux("config", "get").out)
    assert values.keys() == {"foo", "heartbeat", "tbon", "access", "said"}


@pytest.mark.parametrize(
    ("words", "err"),
    [
        (["--type=string", "foo.a"], "foo.a does not have the requested type"),
        (["--type=integer", "foo.e"], "foo.e does not have the requested type"),
        (["--type=fsd", "foo.b"], "foo.b does not have the requested type"),
        (["--type=string"], "value does not have the requested type"),
        (["--type=oops", "foo.a"], "Unknown type: oops"),
        (["nokey"], "nokey is not set"),
        (["foo.a.b"], "foo.a.b is not set"),
        (["foo."], "'foo.' is not the name of a key"),
    ],
)
def test_get_says_in_one_line_what_is_wrong(fresh: Session, words: list[str], err: str) -> None:
    assert fresh.flux("config", "get", *words) == (1, "", f"flux-config: {err}\n")


def test_get_can_be_quiet(fresh: Session) -> None:
    assert fresh.flux("config", "get", "-q", "nokey") == (1, "", "")


def test_get_reads_files_without_a_session(files: Path, tmp_path: Path) -> None:
    assert flux("config", "get", "--config-path", str(files), "foo.a") == (0, "42\n", "")
    assert flux("config", "get", f"-c{files}/a.toml", "foo.bar.a") == (0, "true\n", "")
    (tmp_path / "a.json").write_text(flux("config", "get", "-c", str(files)).out)
    assert flux("config", "get", "-c", f"{tmp_path}/a.json", "foo.d") == (0, "3.14\n", "")
    (tmp_path / "x.toml").write_text("x x x")
    done = flux("config", "get", "-c", f"{tmp_path}/x.toml")
    assert done == (1, "", f"flux-config: {tmp_path}/x.toml:1: expected '=' after a key in a key/value pair\n")
    assert flux("config", "get", "-c", "/no/such").err == "flux-config: /no/such: No such file or directory\n"
    assert flux("config", "get", "-c", "imp").err.endswith("/flux/imp/conf.d: No such file or directory\n")


# -- changing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "value", "out"),
    [
        ("string", "xyz", "xyz"),
        ("string", '"a b"', "a b"),
        ("integer", "99", "99"),
        ("integer", "0x10", "16"),
        ("real", "3.5", "3.5"),
        ("boolean", "true", "true"),
        ("boolean", "false", "false"),
        ("boolean", "0", "false"),
        ("array", "[1,2,3]", "[1,2,3]"),
        ("object", "{}", "{}"),
        ("fsd", "45m", "45m"),
    ],
)
def test_set_makes_a_value_of_that_type_with_the_tables_around_it(
    fresh: Session, kind: str, value: str, out: str
) -> None:
    assert fresh.flux("config", "set", "--type", kind, "x.y.z", value) == (0, "", "")
    assert fresh.flux("config", "get", "--type", kind, "x.y.z") == (0, f"{out}\n", "")


@pytest.mark.parametrize(
    ("words", "err"),
    [
        (["bar", "42"], "bar is not set, so its type is unknown: say --type"),
        (["-t", "fsd-integer", "bar", "42"], "'fsd-integer' is not a type that a value can be set to"),
        (["-t", "real", "bar", "hello"], "'hello' is not of the type real"),
        (["-t", "integer", "bar", "hello"], "'hello' is not of the type integer"),
        (["-t", "string", "bar", '"hello'], "'\"hello' is not of the type string"),
        (["-t", "fsd", "bar", "hello"], "'hello' is not of the type fsd"),
        (["-t", "array", "bar", "[1 2]"], "'[1 2]' is not of the type array"),
        (["-t", "object", "bar", "[]"], "'[]' is not of the type object"),
        (["-t", "oops", "bar", "x"], "Unknown type: oops"),
        (["-t", "integer", "foo.a.b", "1"], "foo.a.b: 'a' is not a table"),
        (["-t", "string", "heartbeat.period", "42XYZ"], "heartbeat.period: '42XYZ' is not a duration (like"),
        (["-t", "integer", "heartbeat.nix", "1"], "heartbeat.nix: unknown key (known: period, timeout, warn_thresh)"),
    ],
)
def test_what_cannot_be_set_changes_nothing(fresh: Session, words: list[str], err: str) -> None:
    before = fresh.flux("config", "get").out
    done = fresh.flux("config", "set", *words)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"flux-config: {err}")
    assert done.err.count("\n") == 1
    assert fresh.flux("config", "get").out == before


def test_set_keeps_the_type_and_unset_takes_it_out(fresh: Session) -> None:
    assert fresh.flux("config", "set", "foo.a", "43").code == 0
    assert fresh.flux("config", "get", "-t", "integer", "foo.a").out == "43\n"
    assert fresh.flux("config", "unset", "foo.a") == (0, "", "")
    assert fresh.flux("config", "get", "foo.a").code == 1
    for name in ("foo.a", "not.a.key", "foo.b.c"):
        assert fresh.flux("config", "unset", name) == (0, "", "")


def test_what_is_set_reaches_all_brokers_at_once(fresh: Session) -> None:
    script = "flux config set --type=string foo.x bar; flux exec -r 1,2 -l flux config get foo.x"
    assert sorted(fresh.flux("exec", "-r", "0", "sh", "-c", script).out.splitlines()) == ["1: bar", "2: bar"]


def test_the_heartbeat_takes_its_period_at_once(fresh: Session) -> None:
    assert fresh.flux("getattr", "heartbeat.period").out == "3s\n"
    assert fresh.flux("config", "set", "heartbeat.period", "1s").code == 0
    assert fresh.flux("getattr", "heartbeat.period").out == "1s\n"
    assert fresh.flux("exec", "-r", "2", "flux", "config", "get", "heartbeat.period").out == "1s\n"


def test_load_replaces_all_of_it(fresh: Session, tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("a.b.c = 999\n")
    (tmp_path / "b.toml").write_text("a.b.d = 1\n")
    assert fresh.flux("config", "load", str(tmp_path)) == (0, "", "")
    assert fresh.flux("config", "get").out == '{"a":{"b":{"c":999,"d":1}}}\n'
    assert fresh.flux("config", "load", f"{tmp_path}/b.toml").code == 0
    assert fresh.flux("config", "get").out == '{"a":{"b":{"d":1}}}\n'
    for text, out in (("x.y = 1", '{"x":{"y":1}}'), ('{"x": 2}', '{"x":2}'), ("", "{}")):
        assert fresh.flux("config", "load", stdin=text) == (0, "", "")
        assert fresh.flux("config", "get").out == f"{out}\n"


def test_load_says_what_is_wrong(fresh: Session, tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("this is not toml")
    done = fresh.flux("config", "load", str(tmp_path))
    assert done == (1, "", f"flux-config: {tmp_path}/a.toml:1: expected '=' after a key in a key/value pair\n")
    assert fresh.flux("config", "load", stdin="[whoops").err.startswith("flux-config: stdin:1: expected ']'")


def test_reload_reads_the_files_again(fresh: Session, files: Path) -> None:
    try:
        (files / "b.toml").write_text("[heartbeat]\nperiod = 3\n")
        done = fresh.flux("config", "reload")
        reason = f"{files}/b.toml:2: heartbeat.period: must be a string, not an integer"
        assert done == (1, "", f"flux-config: {reason}\n")
        (files / "b.toml").write_text("more = 1\n")
        assert fresh.flux("config", "reload") == (0, "", "")
        assert fresh.flux("exec", "-r", "2", "flux", "config", "get", "more").out == "1\n"
    finally:
        (files / "b.toml").unlink()


def test_only_rank_0_changes_it(fresh: Session) -> None:
    for words in (["reload"], ["load", "/dev/null"]):
        done = fresh.flux("exec", "-r", "1", "flux", "config", *words)
        assert done.code == 1
        assert "configuration can only be changed on rank 0" in done.err
    assert fresh.flux("exec", "-r", "1", "flux", "config", "reload", "--follower-noop").code == 0


# -- what it does -----------------------------------------------------------------------------------------------------


def test_attributes_show_what_is_configured(fresh: Session, files: Path) -> None:
    assert fresh.flux("getattr", "config.path").out == f"{files}\n"
    assert fresh.flux("getattr", "tbon.topo").out == "kary:1\n"
    assert fresh.flux("getattr", "tbon.maxlevel").out == "2\n"
    threads = fresh.flux("exec", "-r", "all", "-l", "flux", "getattr", "tbon.zmq_io_threads").out
    assert sorted(threads.splitlines()) == ["0: 2", "1: 1", "2: 1"]
    stats = json.loads(fresh.flux("module", "stats", "connector-local").out)
    assert (stats["allow_guest_user"], stats["allow_root_owner"]) == (True, False)


def test_the_environment_may_say_where_it_is(files: Path) -> None:
    words = ["start", "-s", "2", "-Stbon.topo=binomial", "sh", "-c", "flux getattr config.path; flux getattr tbon.topo"]
    assert flux(*words, env={"FLUX_CONF_DIR": str(files)}) == (0, f"{files}\nbinomial\n", "")
    assert flux("broker", "-c/dev/null", *words[3:], env={"FLUX_CONF_DIR": "/no/such"}).out == "/dev/null\nbinomial\n"


@pytest.mark.parametrize("command", [["start"], ["start", "-s", "3"], ["broker"]])
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[heartbeat]\n\nperiod = 3", "bad.toml:3: heartbeat.period: must be a string, not an integer"),
        ("[tbon]\ntopo = 'foo'", "bad.toml:2: tbon.topo: unknown topology 'foo' (known: kary:K, "),
        ("[tbon\n", "bad.toml:1: expected ']' at the end of a table declaration"),
        ("[access]\nguests = true", "bad.toml:2: access.guests: unknown key (known: allow-guest-user, "),
    ],
)
def test_a_session_with_a_bad_file_does_not_start(tmp_path: Path, command: list[str], text: str, reason: str) -> None:
    (tmp_path / "bad.toml").write_text(text)
    done = flux(*command, "-c", "bad.toml", "true", cwd=tmp_path)
    assert done.code == 1
    assert reason in done.err
    assert done.err.count("\n") == 1


# -- where things are -------------------------------------------------------------------------------------------------


def test_builtin_shows_where_things_are() -> None:
    assert flux("config", "builtin", "confdir").out.endswith("/flux\n")
    assert flux("config", "builtin", "--intree", "rundir") == (0, "/run/flux\n", "")
    path = flux("config", "builtin", "--installed", "python_path").out.strip()
    assert (Path(path) / "flux" / "__init__.py").exists()
    assert (Path(flux("config", "builtin", "exec_path").out.strip()) / "flux").exists()


def test_builtin_names_what_is_not_there() -> None:
    assert flux("config", "builtin", "unknown") == (1, "", "flux-config: unknown is invalid\n")
    assert flux("config", "builtin", "rc1_path").err.startswith("flux-config: rc1_path has no counterpart here: ")
    assert flux("config", "builtin").code == 2


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[heartbeat]\n\nperiod = 3", "3: heartbeat.period: must be a string, not an integer"),
        ("[live]\nmax-idle = -1", "2: live.max-idle: must be 2 or more, not -1"),
        ("[access]\nguests = true", "2: access.guests: unknown key (known: allow-guest-user, "),
    ],
)
def test_a_bad_file_for_a_running_session_is_named_with_its_line(
    fresh: Session, tmp_path: Path, text: str, reason: str
) -> None:
    before = fresh.flux("config", "get")
    (tmp_path / "bad.toml").write_text(text)
    done = fresh.flux("config", "load", f"{tmp_path}/bad.toml")
    assert done.code == 1 and done.err.startswith(f"flux-config: {tmp_path}/bad.toml:{reason}")
    assert fresh.flux("config", "get") == before
