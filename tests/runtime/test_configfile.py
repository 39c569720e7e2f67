"""Configurations from files, and from the command line."""

from pathlib import Path

import pytest

from flux.runtime.configfile import read_config


def test_the_toml_files_of_a_directory_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name, text in (("b.toml", "x = 2"), ("a.toml", "x = 1\ny = 1"), ("c.json", "{"), (".d.toml", "["), ("e", "[")):
        (tmp_path / name).write_text(text)
    assert read_config(str(tmp_path)).values == {"x": 2, "y": 1}


def test_a_file_is_json_if_it_is_called_so(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"x": 1}')
    (tmp_path / "a.conf").write_text("x = 2")
    assert read_config(f"{tmp_path}/a.json").values == {"x": 1}
    assert read_config(f"{tmp_path}/a.conf").values == {"x": 2}


def test_nothing_is_a_configuration_too(tmp_path: Path) -> None:
    assert read_config().values == read_config(str(tmp_path)).values == read_config("/dev/null").values == {}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a.b=1", {"a": {"b": 1}}),
        ("a.b=true", {"a": {"b": True}}),
        ("a.b=2s", {"a": {"b": "2s"}}),
        ("a=", {"a": ""}),
        ('a={"b": [1]}', {"a": {"b": [1]}}),
        ('{"a": {"b": 1}}', {"a": {"b": 1}}),
        ("[a]\nb = 1", {"a": {"b": 1}}),
        ('\n {"a": 1}', {"a": 1}),
    ],
)
def test_what_is_said_on_the_command_line_prevails(tmp_path: Path, text: str, values: dict[str, object]) -> None:
    (tmp_path / "a.toml").write_text("a = 0")
    assert read_config(str(tmp_path), (text,)).values == values


def test_what_is_said_last_counts_and_may_be_a_file(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text("a.b = 3")
    assert read_config("", ("a.b=1", "a.c=2", f"{tmp_path}/x.toml")).values == {"a": {"b": 3, "c": 2}}


@pytest.mark.parametrize(
    ("path", "more", "reason"),
    [
        ("/no/such", (), "/no/such: No such file or directory"),
        ("", ("notafile",), "notafile: No such file or directory"),
        ("", ("a..b=1",), "--conf: 'a..b' is not the name of a key"),
        ("", ("=1",), "--conf: '' is not the name of a key"),
        ("", ("{",), "--conf:1: expecting property name"),
        ("", ("[a\n",), "--conf:1: expected ']'"),
    ],
)
def test_what_cannot_be_read_is_named(path: str, more: tuple[str, ...], reason: str) -> None:
    with pytest.raises(OSError) as refused:
        read_config(path, more)
    assert str(refused.value.strerror).startswith(reason)


def test_a_bad_file_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("x = 1")
    (tmp_path / "b.toml").write_text("\n[heartbeat]\nperiod = 1\n")
    with pytest.raises(OSError, match=f"{tmp_path}/b.toml:3: heartbeat.period: must be a string"):
        read_config(str(tmp_path)).check()
    with pytest.raises(OSError, match=r"--conf: heartbeat.period: must be a string"):
        read_config("", ("heartbeat.period=1",)).check()
    (tmp_path / "a.toml").write_bytes(b"\xff")
    with pytest.raises(OSError, match=f"{tmp_path}/a.toml: not UTF-8"):
        read_config(str(tmp_path))
