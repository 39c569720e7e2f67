"""The table of modules: alternatives, conditions, dependencies, order."""

from errno import EINVAL, ENOENT
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.base.modprobe import Entry, Facts, Modprobe
from flux.base.rc1 import MODULES

TODAY: dict[str, Any] = {
    "modules": [
        {"name": "content", "requires": ["heartbeat", "content-backing"]},
        {"name": "kvs", "after": ["content-backing", "content"], "requires": ["content", "heartbeat"]},
        {"name": "heartbeat"},
        {"name": "content-files", "ranks": "0", "after": ["content"], "provides": ["content-backing"]},
        {"name": "content-sqlite", "ranks": "0", "after": ["content"], "provides": ["content-backing"]},
        {"name": "sched-simple", "provides": ["sched"], "requires": ["kvs"], "priority": 50, "ranks": "0"},
        {"name": "sched-fifo", "provides": ["sched"], "requires": ["kvs"], "priority": 40, "ranks": "0"},
        {"name": "sdbus", "needs-config": ["systemd.enable"]},
        {"name": "sdexec", "needs": ["sdbus"], "after": ["sdbus"]},
        {"name": "other", "needs-attrs": ["!quiet"], "needs-env": ["LOUD"]},
    ]
}


def made(*more: dict[str, Any]) -> Modprobe:
    table = Modprobe()
    for config in (TODAY, *more):
        table.read(config)
    return table


def names(entries: list[Entry]) -> list[str]:
    return [entry.name for entry in entries]


def facts(**there: set[str]) -> Facts:
    return Facts(**{kind: there.get(kind, set()).__contains__ for kind in Facts._fields})


def test_what_is_loaded_at_boot_comes_after_what_it_is_to_come_after() -> None:
    assert names(made().enabled(facts())) == ["content", "heartbeat", "content-sqlite", "kvs", "sched-simple"]


def test_conditions_are_looked_at() -> None:
    enabled = names(made().enabled(facts(config={"systemd.enable"}, env={"LOUD"})))
    assert {"sdbus", "sdexec", "other"} <= set(enabled)
    assert enabled.index("sdbus") < enabled.index("sdexec")
    assert "other" not in names(made().enabled(facts(env={"LOUD"}, attr={"quiet"})))


@pytest.mark.parametrize(
    ("more", "chosen"),
    [
        ({}, "sched-simple"),
        ({"alternatives": {"sched": "sched-fifo"}}, "sched-fifo"),
        ({"sched-fifo": {"priority": 60}}, "sched-fifo"),
        ({"sched-simple": {"disabled": True}}, "sched-fifo"),
        ({"modules": [{"name": "mine", "provides": ["sched"]}]}, "mine"),
    ],
)
def test_one_of_several_alternatives_is_loaded(more: dict[str, Any], chosen: str) -> None:
    table = made(more)
    assert table.find("sched").name == chosen
    assert [name for name in names(table.enabled(facts())) if name.startswith(("sched", "mine"))] == [chosen]


def test_a_module_brings_what_it_requires_on_that_rank() -> None:
    assert names(made().closure(["sched"], 0)) == ["content", "heartbeat", "content-sqlite", "kvs", "sched-simple"]
    assert names(made().closure(["kvs"], 3)) == ["content", "kvs", "heartbeat"]
    assert names(made().closure(["sched-fifo"], 3)) == ["content", "kvs", "heartbeat", "sched-fifo"]


def test_who_uses_a_module_is_known() -> None:
    table = made()
    assert table.users("kvs", ["kvs", "content", "sched-simple", "strange"]) == ["sched-simple"]
    assert table.users("content-sqlite", ["content", "kvs"]) == ["content"]


@pytest.mark.parametrize(
    ("ranks", "on"), [("all", {0, 1, 2, 3}), ("0,2-3", {0, 2, 3}), (">0", {1, 2, 3}), ("<2", {0, 1}), ("9", set())]
)
def test_ranks_say_where(ranks: str, on: set[int]) -> None:
    assert set(Entry("x", ranks=ranks).within(4)) == on


def test_before_is_after_the_other_way_round() -> None:
    table = Modprobe([Entry("a"), Entry("b", before=("a",)), Entry("c", after=("a", "unknown"))])
    assert names(table.enabled(facts())) == ["b", "a", "c"]
    assert table.predecessors(table.enabled(facts())) == {"b": [], "a": ["b"], "c": ["a"]}


def test_modules_that_wait_for_each_other_are_named() -> None:
    table = Modprobe([Entry("a", after=("b",)), Entry("b", after=("a",)), Entry("c")])
    with pytest.raises(OSError, match="wait for each other: a, b"):
        table.enabled(facts())


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"modules": [{"nome": "x"}]}, "modules: ?: unknown key nome"),
        ({"modules": [{"priority": 3}]}, "modules: name is missing"),
        ({"modules": [{"name": "x", "ranks": "0-"}]}, "modules: x: ranks: not a set of ranks"),
        ({"modules": [{"name": "x", "ranks": ">x"}]}, "modules: x: ranks: not a set of ranks"),
        ({"modules": [{"name": "x", "args": "y"}]}, "modules: x: args: not an array of strings"),
        ({"modules": [{"name": "x", "priority": True}]}, "modules: x: priority: not a number"),
        ({"modules": {"name": "x"}}, "modules: not an array of tables"),
        ({"kvs": {"after": [1]}}, "kvs: after: not an array of strings"),
        ({"kvs": 3}, "kvs: unknown key"),
        ({"alternatives": ["x"]}, "alternatives: not a table"),
    ],
)
def test_a_wrong_key_is_named(config: dict[str, Any], said: str) -> None:
    with pytest.raises(OSError) as refused:
        made(config)
    assert refused.value.errno == EINVAL and str(refused.value.strerror).startswith(said)


@pytest.mark.parametrize("config", [{"nosuch": {"after": ["kvs"]}}, {"alternatives": {"sched": "nosuch"}}])
def test_what_is_not_there_cannot_be_changed(config: dict[str, Any]) -> None:
    with pytest.raises(OSError, match="nosuch: no such module") as refused:
        made(config)
    assert refused.value.errno == ENOENT


def test_what_is_unknown_is_named() -> None:
    with pytest.raises(OSError, match="nosuch: no such module or service"):
        made().find("nosuch")


OTHERS = ("content-files", "content-memory", "content-s3", "sched-backfill", "sched-fifo")
"""Backing stores and schedulers that are not those that are loaded unless somebody chooses them."""


def test_run_level_1_is_loaded_in_the_order_in_which_it_is_written() -> None:
    loaded = names(Modprobe(MODULES).enabled(facts()))
    assert loaded == [entry.name for entry in MODULES if entry.name not in OTHERS]


@pytest.mark.parametrize("backing", ["content-files", "content-memory", "content-s3", "content-sqlite", "none"])
def test_an_attribute_chooses_among_backing_stores(backing: str) -> None:
    table = Modprobe(MODULES)
    found = names(table.choosing("content-backing", backing).enabled(facts()))
    assert {name for name in found if name.startswith("content-")} == {backing} - {"none"}
    assert "content-sqlite" in names(table.enabled(facts())), "the table itself is as it was"


def test_a_module_that_is_not_there_cannot_be_chosen() -> None:
    with pytest.raises(FileNotFoundError, match="no such module"):
        Modprobe(MODULES).choosing("content-backing", "content-tape")
    with pytest.raises(OSError, match="barrier: does not provide content-backing"):
        Modprobe(MODULES).choosing("content-backing", "barrier")


def test_it_is_described_by_todays_keys() -> None:
    described = made().find("sdbus").describe()
    assert described["module"] == "sdbus" and described["needs-config"] == ("systemd.enable",)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=20))
def test_every_module_comes_after_its_predecessors(pairs: list[tuple[int, int]]) -> None:
    after: dict[str, list[str]] = {}
    for one, other in pairs:
        if one != other:
            after.setdefault(str(max(one, other)), []).append(str(min(one, other)))
    table = Modprobe(Entry(name, after=tuple(others)) for name, others in reversed(after.items()))
    order = names(table.enabled(facts()))
    for name, others in after.items():
        assert all(order.index(other) < order.index(name) for other in others if other in order)
