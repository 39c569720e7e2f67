"""`flux modprobe` in a session, and what it would remove."""

import json
from pathlib import Path

import pytest

from flux.base.modprobe import Entry, Modprobe
from flux.commands import modprobe
from tests.session import Session, flux

NOTHING = "flux-modprobe: all modules and what they require are loaded already\n"


def test_it_shows_what_a_module_requires() -> None:
    assert flux("modprobe", "list-dependencies", "kvs").out.splitlines() == [
        "kvs",
        "├── content",
        "│   └── content-backing (content-sqlite)",
        "└── heartbeat",
    ]
    assert flux("modprobe", "list-dependencies", "-f", "content").out.splitlines() == [
        "content",
        "├── heartbeat",
        "└── content-backing (content-sqlite)",
    ]


def test_it_shows_what_is_known_about_a_module() -> None:
    shown = json.loads(flux("modprobe", "show", "content-backing").out)
    assert (shown["name"], shown["ranks"], shown["after"]) == ("content-sqlite", "0", ["content"])
    shown = json.loads(
        flux("modprobe", "show", "-S", "content-backing=barrier", "-D", "barrier", "content-backing").out
    )
    assert (shown["name"], shown["disabled"]) == ("barrier", True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("show nosuch", "nosuch: no such module or service"),
        ("list-dependencies nosuch", "nosuch: no such module or service"),
        ("show -S x kvs", "--set-alternative: 'x' is not NAME=MODULE"),
        ("show -S x=nosuch kvs", "nosuch: no such module"),
        ("load nosuch", "nosuch: no such module or service"),
        ("remove nosuch", "module nosuch is not loaded"),
        ("remove content", "content is still in use by kvs, kvs-watch, stream"),
        ("load -r x kvs", "--rank: error parsing range 'x'"),
        ("load -r 9 kvs", "ranks 9: this instance has ranks 0-3 only"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(session: Session, words: str, said: str) -> None:
    assert session.flux("modprobe", *words.split()) == (1, "", f"flux-modprobe: {said}\n")


def test_a_bad_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "modprobe.toml").write_text("[[modules]]\nnome = 1")
    for words in (["modprobe", "show", "kvs"], ["start", "true"]):
        done = flux(*words, env={"FLUX_MODPROBE_PATH": str(tmp_path)})
        assert done == (1, "", f"flux-{words[0]}: {tmp_path}/modprobe.toml: modules: ?: unknown key nome\n")


def test_a_site_adds_modules(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("from flux.service import Service\nclass Mine(Service):\n    pass\n")
    table = f'[[modules]]\nname = "ours"\nmodule = "{tmp_path}/mine.py"\nranks = ">0"\nargs = ["x"]\nbefore = ["kvs"]\n'
    (tmp_path / "modprobe.toml").write_text(table)
    show = "flux module list -r all | grep ours; flux modctl status | grep ours"
    env = {"FLUX_MODPROBE_PATH": str(tmp_path), "FLUX_MODPROBE_DISABLE": "barrier"}
    done = flux("start", "-s3", "sh", "-c", show, env=env)
    assert (done.code, done.err) == (0, "")
    assert [line.split()[0] for line in done.out.splitlines()] == ["ours", "ours"]
    assert all("1-2" in line for line in done.out.splitlines())


def test_what_is_loaded_is_not_loaded_again(session: Session) -> None:
    for words in ("load kvs", "load -r all kvs", "rc1 --dry-run"):
        assert session.flux("modprobe", *words.split()) == (0, "", NOTHING)


def test_modules_are_loaded_and_removed_with_what_they_require(session: Session) -> None:
    assert session.flux("modprobe", "remove", "--dry-run", "job-list").out == "remove job-list\n"
    assert session.flux("modprobe", "remove", "--dry-run", "sched-simple", "resource").out.split("\n")[:2] == [
        "remove sched-simple",
        "remove resource",
    ]
    assert session.flux("modprobe", "remove", "-r", "1-2", "barrier") == (0, "", "")
    assert session.flux("modprobe", "load", "--dry-run", "-r", "all", "barrier").out == "load barrier on 1-2\n"
    assert session.flux("modprobe", "load", "-r", "0-1", "barrier") == (0, "", "")
    assert session.flux("modprobe", "load", "-r", "all", "barrier") == (0, "", "")
    assert session.flux("modprobe", "remove", "barrier") == (0, "", "")
    assert session.flux("modprobe", "rc1", "-v").out == "load barrier\n"
    assert session.flux("modprobe", "rc3", "--dry-run").out.split("\n")[0] == "remove barrier"


def test_each_module_waits_for_those_before_it(session: Session) -> None:
    assert json.loads(session.flux("modprobe", "rc1", "--show-deps").out)["kvs"] == ["content", "content-sqlite"]


def test_what_nobody_requires_any_more_goes_too() -> None:
    table = Modprobe([Entry("a"), Entry("b", requires=("a",)), Entry("c", requires=("b", "a")), Entry("d")])
    assert modprobe.targets(table, ["c"], ["a", "b", "c", "d"]) == ["c", "b", "a"]
    assert modprobe.targets(table, ["d"], ["a", "b", "d"]) == ["d"]
    assert modprobe.targets(table, ["unknown"], ["a", "unknown"]) == ["unknown"]
    with pytest.raises(OSError, match="a is still in use by b"):
        modprobe.targets(table, ["a"], ["a", "b"])
