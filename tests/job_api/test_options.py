"""Options of flux-submit(1) in a jobspec that is there."""

import signal
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

from flux.job import BatchConfig, JobspecV1
from flux.job.options import limits


def made(*args: Any, **options: Any) -> JobspecV1:
    """A jobspec with options."""
    return JobspecV1.from_command(["app"], environment={}).apply_options(*args, **options)


def test_nothing_that_is_not_asked_for_is_set() -> None:
    assert made().attributes == {"system": {"duration": 0, "environment": {}}}


def test_rules_make_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("os.environ", {"A": "1", "AB": "2", "HOME": "/h"})
    (tmp_path / "rules").write_text("FROM=file\n\n-HOME\n")
    found = made(env=["-AB", "B=$A$A", "ID={{id}}", f"^{tmp_path}/rules"])
    assert found.environment == {"A": "1", "B": "11", "FROM": "file"}
    assert found.getattr("shell.options.env-expand") == {"ID": "{{id}}"}
    with pytest.raises(ValueError, match="--env: /no/such: No such file"):
        made(env="^/no/such")


def test_limits_are_chosen_by_rules() -> None:
    assert limits(["-*", "nofile=100,core=unlimited"]) == {"nofile": 100, "core": -1}
    assert "memlock" not in limits([])
    assert "memlock" in limits(["mem*"])
    with pytest.raises(ValueError, match="No corresponding rlimit"):
        limits(["foo=1"])
    with pytest.raises(ValueError, match="Invalid value in nofile=many"):
        limits(["nofile=many"])


@pytest.mark.parametrize(
    ("text", "number", "left"),
    [
        ("USR2@30s", signal.SIGUSR2, 30.0),
        ("@2m", signal.SIGUSR1, 120.0),
        ("SIGTERM", signal.SIGTERM, 60.0),
        ("9", 9, 60),
    ],
)
def test_a_signal_comes_before_the_end(text: str, number: int, left: float) -> None:
    assert made(signal=text).getattr("shell.options.signal") == {"signum": number, "timeleft": left}


@pytest.mark.parametrize("text", ["FOO", "0", "-1", "USR1@soon"])
def test_a_signal_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=f"--signal={text}: "):
        made(signal=text)


def test_options_have_their_places(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    found = made(
        taskmap="cyclic:2",
        dependency=["afterok:f1", "singleton"],
        requires=["host:a", "-gpu"],
        time_limit="30",
        shell_options={"verbose": 2, "output.mode": "append"},
        attributes={"system.queue": "q", "bank": "b", ".user.x": 1},
        add_file=[f"{tmp_path}/file", "script:0755=#!/bin/sh\\ntrue\\n"],
    )
    assert found.getattr("shell.options")["taskmap"] == {"scheme": "cyclic", "value": "2"}
    assert found.getattr("dependencies") == [
        {"scheme": "afterok", "value": "f1"},
        {"scheme": "singleton", "value": ""},
    ]
    assert found.getattr("constraints") == {"and": [{"hostlist": ["a"]}, {"not": [{"properties": ["gpu"]}]}]}
    assert (found.duration, found.queue, found.getattr("bank"), found.getattr("user.x")) == (30.0, "q", "b", 1)
    assert found.getattr("shell.options.output.mode") == "append"
    assert found.getattr("files")["file"]["data"] == "text"
    assert found.getattr("files")["script"] == {"mode": 0o100755, "data": "#!/bin/sh\ntrue\n", "encoding": "utf-8"}


def test_keywords_go_before_what_a_command_has_parsed() -> None:
    args = Namespace(time_limit="1h", setopt=["verbose=1", "flag"], setattr=["queue=q", ".user.x=[1]"], env=["-*"])
    found = made(args, time_limit=5.0, shell_options={"verbose": 2})
    assert found.duration == 5.0
    assert (found.getattr("shell.options.verbose"), found.getattr("shell.options.flag")) == (2, 1)
    assert (found.queue, found.getattr("user.x"), found.environment) == ("q", [1], {})


def test_an_unknown_option_is_named() -> None:
    with pytest.raises(TypeError, match=r"unexpected keyword argument\(s\): 'colour', 'setopt'"):
        made(setopt=["a"], colour=1)
    for option, text in (({"requires": "(a"}, "--requires='"), ({"add_file": ["/no/such"]}, "--add-file=/no/such")):
        with pytest.raises(ValueError, match=text):
            made(**option)


def test_what_flux_submit_would_make() -> None:
    found = JobspecV1.from_submit(["app"], ntasks=2, name="n", env=["-*", "A=1"], rlimit=["-*"])
    assert found.environment == {"A": "1"}
    assert found.resource_counts()["core"] == 2


# -- the configuration of an instance ---------------------------------------------------------------------------------


def test_a_configuration_is_made_step_by_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.toml").write_text("[resource]\nscheduling = 'x'\n")
    (tmp_path / "flux" / "config").mkdir(parents=True)
    (tmp_path / "flux" / "config" / "site.json").write_text('{"site": 1}')
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    config = BatchConfig()
    assert config.config is None
    for text in (
        "resource.noverify=true",
        f"{tmp_path}/a.toml",
        '{"kvs":\n{"a": "b"}}',
        "a=[queues]\n".strip(),
        "site",
    ):
        config.update(text)
    assert config.config == {
        "resource": {"noverify": True, "scheduling": "x"},
        "kvs": {"a": "b"},
        "a": "[queues]",
        "site": 1,
    }
    assert (config.get("resource.noverify"), config.get("no.such", 3)) == (True, 3)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("neither\nnor\n", "failed to parse multiline"),
        ("/no/such.toml", "No such file"),
        ("nameless", "named config 'nameless' not found"),
    ],
)
def test_a_configuration_that_cannot_be_says_why(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        BatchConfig().update(text)


def test_a_value_in_what_is_no_table_is_refused() -> None:
    with pytest.raises(TypeError, match=r"failed to set a\.b: a is no table"):
        BatchConfig().update("a=1").update("a.b=2")
