"""Configurations: what is known is checked, what is wrong is one line that names file, line and key."""

from errno import EINVAL, ENOENT
from math import inf
from typing import Any

import pytest

from flux.base.config import Access, Config, Heartbeat, Live, Tbon, from_json, from_toml, joined
from flux.base.config.source import dotted, member


def config(*texts: str) -> Config:
    """What files a.toml, b.toml, ... make up."""
    return joined(*(from_toml(text, f"{name}.toml") for name, text in zip("abc", texts, strict=False)))


def refusal(*texts: str) -> str:
    with pytest.raises(OSError) as refused:
        config(*texts).check()
    assert refused.value.errno == EINVAL
    return str(refused.value.strerror)


# -- values and where they are from -----------------------------------------------------------------------------------


def test_without_any_file_everything_is_as_it_always_was() -> None:
    empty = Config()
    empty.check()
    assert (empty.values, empty.access, empty.tbon) == ({}, Access(), Tbon())
    assert (empty.heartbeat, empty.live) == (Heartbeat(2.0, 300.0, 3), Live(3, 5))
    assert empty.bootstrap.size == 1


def test_tables_of_several_files_are_joined_and_the_last_word_counts() -> None:
    both = config("[a]\nx = 1\ny = [1, 2]\n[a.b]\nz = 1", "[a]\ny = [3]\nb.w = 2\n[c]")
    assert both.values == {"a": {"x": 1, "y": [3], "b": {"z": 1, "w": 2}}, "c": {}}
    assert both == Config(both.values)
    assert both != Config()


def test_joining_leaves_the_files_as_they_were() -> None:
    first = from_toml("[a]\nx = 1", "a.toml")
    joined(first, from_toml("[a]\nx = 2", "b.toml"))
    assert first.values == {"a": {"x": 1}}


def test_tables_that_nobody_knows_are_kept() -> None:
    kept = config("[resource]\nnoverify = true\n[[queues.batch.x]]\ny = 1979-05-27T07:32:00Z")
    kept.check()
    assert kept.values["resource"] == {"noverify": True}
    assert kept.values["queues"]["batch"]["x"] == [{"y": {"iso-8601-ts": "1979-05-27T07:32:00Z"}}]


def test_json_is_as_good_as_toml() -> None:
    assert joined(from_json('{"heartbeat": {"period": "5s"}}', "x.json")).heartbeat.period == 5.0


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[tbon\nx = 1", "a.toml:1: expected ']' at the end of a table declaration"),
        ("x = 1\n\nthis is not toml\n", "a.toml:3: expected '=' after a key in a key/value pair"),
        ('x = "', "a.toml:1: unterminated string"),
        ("a.b = 1\n[a]\n", "a.toml:2: cannot declare ('a',) twice"),
        ("[t]\nx = [1.0,\n nan]", "a.toml:2: t.x[1]: nan is not a number that JSON has"),
        ("x = -inf", "a.toml:1: x: -inf is not a number that JSON has"),
        ("x = 9223372036854775808", "a.toml:1: x: too large"),
    ],
)
def test_what_is_not_toml_is_named(text: str, reason: str) -> None:
    assert refusal(text) == reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{\n"a": 1,\n}', "x.json:3: expecting property name enclosed in double quotes"),
        ("[]", "x.json: not a JSON object"),
        ("", "x.json:1: expecting value"),
        ('{"a": NaN}', "x.json: a: nan is not a number that JSON has"),
    ],
)
def test_what_is_not_json_is_named(text: str, reason: str) -> None:
    with pytest.raises(OSError, match=reason.replace("[", r"\[")):
        from_json(text, "x.json")


def test_what_is_nested_too_deeply_is_refused() -> None:
    for read, text in ((from_json, "[" * 100_000), (from_toml, "a = " + "[" * 100_000)):
        with pytest.raises(OSError, match="nested too deeply"):
            read(text, "x")


# -- what the tables may say ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("heartbeat = 1", "a.toml:1: heartbeat: must be a table, not an integer"),
        ("[heartbeat]\n\nperiod = 3", "a.toml:3: heartbeat.period: must be a string, not an integer"),
        ('[heartbeat]\nperiod = "3x"', "a.toml:2: heartbeat.period: '3x' is not a duration (like \"2s\","),
        ('[heartbeat]\nperiod = "0"', "a.toml:2: heartbeat.period: '0' is too short"),
        ('[heartbeat]\nperiod = "inf"', "a.toml:2: heartbeat.period: 'inf' is too long"),
        ('[heartbeat]\ntimeout = "3s"', "a.toml:2: heartbeat.timeout: must be at least two periods of 2s"),
        ("heartbeat.warn_thresh = 0", "a.toml:1: heartbeat.warn_thresh: must be 1 or more, not 0"),
        ("heartbeat.warn_thresh = true", "a.toml:1: heartbeat.warn_thresh: must be an integer, not a boolean"),
        ("[heartbeat]\nbeat = 1", "a.toml:2: heartbeat.beat: unknown key (known: period, timeout, warn_thresh)"),
        ("[access]\nallow-guest-user = 1", "a.toml:2: access.allow-guest-user: must be a boolean, not an integer"),
        ("[access]\nallow-guest = true", "a.toml:2: access.allow-guest: unknown key (known: allow-guest-user, "),
        ("[access.roles.king]\nusers = []", "a.toml:1: access.roles.king: unknown key (known: admin)"),
        ('[access.roles.admin]\nusers = "me"', "a.toml:2: access.roles.admin.users: must be an array, not a string"),
        ('access.roles.admin.users = ["me", 1]', "a.toml:1: access.roles.admin.users[1]: must be a string, not an int"),
        ("tbon.topo = 2", "a.toml:1: tbon.topo: must be a string, not an integer"),
        ('tbon.torpid_min = "0"', "a.toml:1: tbon.torpid_min: '0' is too short"),
        ('tbon.torpid_min = "31s"', "a.toml:1: tbon.torpid_min: 31s is not less than torpid_max"),
        ('tbon.connect_timeout = "1000d"', "a.toml:1: tbon.connect_timeout: '1000d' is too long"),
        ("tbon.zmq_io_threads = 0", "a.toml:1: tbon.zmq_io_threads: must be 1 to 1024, not 0"),
        ("tbon.child_rcvhwm = 1", "a.toml:1: tbon.child_rcvhwm: must be 0 (no limit) or 2 or more, not 1"),
        ("tbon.zmqdebug = 1", "a.toml:1: tbon.zmqdebug: is always 0 here: nothing traces the sockets"),
        ("tbon.fanout = 2", "a.toml:1: tbon.fanout: unknown key (known: topo, "),
        ("live.slow-idle = 5", "a.toml:1: live.slow-idle: 5 is not less than max-idle, 5"),
        ("live.max-idle = 1", "a.toml:1: live.max-idle: must be 2 or more, not 1"),
        ("live.idle = 1", "a.toml:1: live.idle: unknown key (known: slow-idle, max-idle)"),
    ],
)
def test_what_does_not_fit_is_named(text: str, reason: str) -> None:
    assert refusal(text).startswith(reason)


def test_the_file_is_the_one_that_said_it_last() -> None:
    assert refusal('[heartbeat]\nperiod = "3"', "\n[heartbeat]\nperiod = 1").startswith("b.toml:3: heartbeat.period")
    assert refusal("[heartbeat]\nperiod = 3", "\n[heartbeat]\ntimeout = '9s'").startswith("a.toml:2: heartbeat.period")


def test_what_is_from_no_file_is_named_all_the_same() -> None:
    with pytest.raises(OSError, match=r"^\[Errno 22\] heartbeat\.period: must be a string, not null"):
        Config({"heartbeat": {"period": None}}).check()


def test_what_is_said_is_what_counts() -> None:
    said = config(
        'access = { allow-guest-user = true, private-mode = true, roles = { admin = { groups = ["flux"] } } }\n'
        'tbon = { topo = "kary:2", torpid_max = "0", tcp_user_timeout = "0", connect_timeout = "1m", child_rcvhwm = 2, '
        'zmqdebug = 0, zmq_io_threads = 4, interface-hint = "eth0", torpid_min = "1h" }\n'
        'heartbeat = { period = "200s", warn_thresh = 5 }\nlive = { max-idle = 9 }'
    )
    said.check()
    assert said.access == Access(True, False, True, (), ("flux",))
    assert said.tbon == Tbon("kary:2", 3600.0, inf, 0.0, 60.0, 4, 2, "eth0")
    assert said.heartbeat == Heartbeat(200.0, 400.0, 5)
    assert said.live == Live(3, 9)
    assert config('heartbeat.timeout = "infinity"').heartbeat.timeout == inf
    assert config('heartbeat.timeout = "0"').heartbeat.timeout == inf


# -- names ------------------------------------------------------------------------------------------------------------


def test_a_value_is_found_by_its_name() -> None:
    values: dict[str, Any] = {"a": {"b": {"c": 1}}, "d": 2}
    assert (member(values, "a.b.c"), member(values, "a.b"), member(values, "d")) == (1, {"c": 1}, 2)
    for name in ("x", "a.x", "d.x"):
        with pytest.raises(OSError, match=f"{name} is not set") as missing:
            member(values, name)
        assert missing.value.errno == ENOENT
    for name in ("", "a.", ".a", "a..b"):
        with pytest.raises(OSError, match=f"'{name}' is not the name of a key"):
            member(values, name)


def test_a_path_is_written_with_periods_and_brackets() -> None:
    assert dotted(("bootstrap", "hosts", 2, "bind")) == "bootstrap.hosts[2].bind"
