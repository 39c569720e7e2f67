"""modctl: modules are where they belong, also on brokers that were not there when it was said."""

from collections.abc import Awaitable, Callable
from errno import EEXIST, EHOSTUNREACH, EINVAL, ENOENT, EPERM, EPROTO
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from flux.base.modprobe import Entry
from flux.modules.modctl.service import Modctl
from flux.modules.multicast.service import Multicast
from flux.testing.sim import SimInstance, simulate
from flux.testing.tree import FakeTree, grow
from flux.wire.message import LOCAL, USER

RC1 = [Entry("kvs"), Entry("cron", ranks="0"), Entry("modctl")]


class Made(NamedTuple):
    """What a table has loaded."""

    name: str


class Table:
    """The modules of one broker, of which only the names matter. `no` is nowhere, `log` cannot be removed."""

    def __init__(self, *names: str) -> None:
        self.there = dict.fromkeys(names, "")
        self.refusing = ["no"]

    async def load(self, path: str, args: tuple[str, ...], *, alias: str = "") -> Made:
        name = alias or path.removesuffix(".py")
        if path in self.refusing:
            raise OSError(ENOENT, f"{path}: module not found")
        if name in self.there:
            raise OSError(EEXIST, f"{name}: module is already loaded")
        self.there[name] = ",".join(args)
        return Made(name)

    async def dismiss(self, name: str) -> None:
        if name == "log":
            raise OSError(EPERM, f"{name}: is part of the broker")
        if name not in self.there:
            raise OSError(ENOENT, f"{name}: No such file or directory")
        del self.there[name]

    def dispensable(self) -> list[tuple[str, str]]:
        return [(name, f"{name}.py") for name in self.there]


def table(tree: FakeTree, rank: int) -> Table:
    found: Table = tree[rank].ports["modules"]
    return found


def run(scenario: Callable[[FakeTree], Awaitable[None]], size: int = 4) -> FakeTree:
    tree = FakeTree(size, ports={"rc1": RC1})
    for host in tree.hosts:
        host.ports["modules"] = Table(*(entry.name for entry in RC1 if entry.on(host.rank)))

    async def with_modctl(tree: FakeTree) -> None:
        await tree.load(Modctl)
        await scenario(tree)
        for host in tree.hosts:
            await host.unload("modctl")

    return grow(with_modctl, Multicast, tree)


async def load(tree: FakeTree, path: str, ranks: str, *args: str, **more: Any) -> dict[str, Any]:
    return await tree[0].call("modctl.load", {"path": path, "ranks": ranks, "args": list(args)} | more)


async def wanted(tree: FakeTree, rank: int = 0) -> dict[str, str]:
    rows = (await tree[rank].call("modctl.wanted", rolemask=USER | LOCAL))["modules"]
    return {row["name"]: row["ranks"] for row in rows}


def test_a_module_is_loaded_on_many_ranks_and_removed_from_some() -> None:
    async def scenario(tree: FakeTree) -> None:
        assert await wanted(tree) == {"kvs": "0-3", "cron": "0", "modctl": "0-3"}
        answer = await load(tree, "mine.py", "1-3", "x=1")
        assert answer == {"name": "mine", "ranks": "1-3", "absent": "", "errors": []}
        assert [table(tree, rank).there.get("mine") for rank in range(4)] == [None, "x=1", "x=1", "x=1"]
        answer = await tree[0].call("modctl.remove", {"name": "mine.py", "ranks": "2-3"})
        assert answer == {"ranks": "2-3", "absent": "", "errors": []}
        await tree[0].advance()
        for rank in range(4):
            assert (await wanted(tree, rank))["mine"] == "1"
            assert ("mine" in table(tree, rank).there) == (rank == 1)

    tree = run(scenario)
    assert [event.topic for event in tree[0].events] == ["modctl.wanted"] * 2


def test_a_refusal_names_its_ranks_and_changes_nothing() -> None:
    async def scenario(tree: FakeTree) -> None:
        table(tree, 2).refusing.append("mine.py")
        answer = await load(tree, "mine.py", "all")
        assert (answer["ranks"], answer["errors"]) == ("", [["2", ENOENT, "mine.py: module not found"]])
        assert "mine" not in await wanted(tree)
        assert not any("mine" in table(tree, rank).there for rank in range(4))
        assert (await load(tree, "no", "all"))["errors"] == [["0-3", ENOENT, "no: module not found"]]
        assert (await load(tree, "mine.py", "0"))["ranks"] == "0"
        answer = await load(tree, "mine.py", "0-1")
        assert (answer["ranks"], answer["errors"]) == ("", [["0", EEXIST, "mine: module is already loaded"]])
        for name in ("mine", "mine.py"):
            answer = await tree[0].call("modctl.remove", {"name": name, "ranks": "0-2"})
            assert answer == {"ranks": "", "absent": "", "errors": [["1-2", ENOENT, f"{name}: module is not loaded"]]}
        assert (await wanted(tree))["mine"] == "0"
        assert [rank for rank in range(4) if "mine" in table(tree, rank).there] == [0]

    run(scenario)


def test_by_force_ranks_become_alike() -> None:
    async def scenario(tree: FakeTree) -> None:
        await load(tree, "mine.py", "0")
        answer = await load(tree, "mine.py", "0-1", force=True)
        assert (answer["ranks"], answer["errors"]) == ("1", [["0", EEXIST, "mine: module is already loaded"]])
        assert (await wanted(tree))["mine"] == "0-1"
        answer = await tree[0].call("modctl.remove", {"name": "mine", "ranks": "1-2", "force": True})
        assert (answer["ranks"], answer["errors"]) == ("1", [["2", ENOENT, "mine: No such file or directory"]])
        assert (await wanted(tree))["mine"] == "0"

    run(scenario)


def test_who_is_absent_loads_it_when_told_later() -> None:
    async def scenario(tree: FakeTree) -> None:
        tree.cut(2)
        answer = await load(tree, "mine.py", "all")
        assert (answer["absent"], answer["errors"]) == ("2", [])
        await tree[0].advance()  # a fake host hears events although it is cut off
        assert "mine" in table(tree, 2).there
        assert (await load(tree, "other.py", "2"))["errors"] == [["2", EHOSTUNREACH, "No route to host"]]

    run(scenario)


def test_who_comes_later_asks_its_parent() -> None:
    async def scenario(tree: FakeTree) -> None:
        await tree[3].unload("modctl")
        answer = await load(tree, "mine.py", "all")
        assert (answer["ranks"], answer["absent"], answer["errors"]) == ("0-2", "3", [])
        await tree[0].call("modctl.remove", {"name": "kvs", "ranks": "0-2"})
        await tree[3].load(Modctl)
        assert await wanted(tree, 3) == {"kvs": "3", "cron": "0", "modctl": "0-3", "mine": "0-3"}
        assert list(table(tree, 3).there) == ["kvs", "modctl", "mine"]

    run(scenario)


LATE = """
from flux.service import Service
class Mine(Service):
    pass
"""


def test_a_broker_that_joins_late_loads_what_belongs_on_it(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(LATE)

    async def names(flux: SimInstance, rank: int) -> set[str]:
        rows = (await flux[rank].rpc("modctl.loaded"))["modules"]
        return {row["name"] for row in rows}

    async def scenario(flux: SimInstance) -> None:
        answer = await flux[0].rpc("modctl.load", {"path": str(path), "ranks": "2-4,6"})
        assert answer == {"name": "mine", "ranks": "2,4", "absent": "3,6", "errors": []}
        answer = await flux[0].rpc("modctl.remove", {"name": "reduce", "ranks": "all"})
        assert (answer["ranks"], answer["absent"], answer["errors"]) == ("0-2,4-5", "3,6", [])
        for rank in (6, 3):
            flux[rank].session.begin()
        await flux.settle()
        assert await names(flux, 3) == await names(flux, 6) == {"heartbeat", "modctl", "mine"}
        assert await names(flux, 1) == {"heartbeat", "modctl"}

    modules = ("heartbeat", "reduce", "modctl")
    settings = {"broker.quorum": "5"}
    simulate(scenario, 7, modules=modules, settings=settings, late=frozenset((3, 6)))


def test_what_fails_later_is_logged() -> None:
    async def scenario(tree: FakeTree) -> None:
        tree.cut(3)
        table(tree, 3).refusing = ["mine.py"]
        await load(tree, "mine.py", "all")
        await tree[0].advance()
        assert (3, "modctl", "mine: mine.py: module not found") in tree[3].logged

    run(scenario)


@pytest.mark.parametrize(
    ("topic", "payload", "errnum"),
    [
        ("modctl.load", {"path": "x.py", "ranks": "0-9"}, EINVAL),
        ("modctl.load", {"path": "x.py", "ranks": "3-1"}, EINVAL),
        ("modctl.remove", {"name": "kvs", "ranks": "9"}, EINVAL),
    ],
)
def test_ranks_that_cannot_be_change_nothing(topic: str, payload: dict[str, Any], errnum: int) -> None:
    async def scenario(tree: FakeTree) -> None:
        assert (await tree[0].refusal(topic, payload))[0] == errnum
        assert (await tree[1].refusal(topic, payload))[0] == EPROTO

    assert run(scenario)[0].events == []


def test_modctl_does_not_remove_itself_nor_what_brokers_are_made_of() -> None:
    async def scenario(tree: FakeTree) -> None:
        for name, errnum in (("modctl", EINVAL), ("log", EPERM), ("nosuch", ENOENT)):
            answer = await tree[0].call("modctl.remove", {"name": name, "ranks": "all"})
            assert [error[:2] for error in answer["errors"]] == [["0-3", errnum]]

    assert run(scenario)[0].events == []


def test_guests_only_look() -> None:
    async def scenario(tree: FakeTree) -> None:
        for topic in ("load", "remove", "bring", "drop"):
            assert (await tree[0].refusal(f"modctl.{topic}", rolemask=USER | LOCAL))[0] == EPERM
        assert len((await tree[0].call("modctl.loaded", rolemask=USER | LOCAL))["modules"]) == 3

    run(scenario)


def test_events_that_are_lost_are_made_up_for() -> None:
    async def scenario(tree: FakeTree) -> None:
        tree[0].announce = tree[0].hear  # no other host hears it
        tree.cut(3)
        assert (await load(tree, "mine.py", "0-1,3"))["absent"] == "3"
        tree.adopt(3, 0)
        assert "mine" not in table(tree, 3).there
        tree[3].services["modctl"].events_lost()
        await tree[0].advance()
        assert "mine" in table(tree, 3).there
        assert await wanted(tree, 3) == await wanted(tree, 0)

    run(scenario)
