"""What brokers contribute is merged on its way up: reports replace, are kept by link, and go when the link goes."""

from collections.abc import Iterable
from errno import EPERM
from typing import Any

import pytest

from flux.service import Call, Service, event, request
from flux.testing.tree import FakeTree, grow
from flux.wire.message import Event


class Tally(Service):
    async def start(self) -> None:
        self.results: list[tuple[str, Any]] = []

    @request()
    def give(self, call: Call, *, n: int, key: str = "k") -> None:
        self.contribute(key, n)

    @request()
    def take(self, call: Call, *, key: str = "k") -> None:
        self.take_back(key)

    @event("tally.over")
    def over(self, event: Event) -> None:
        self.close(event.body()["key"], event)

    def merge(self, key: str, values: Iterable[int]) -> int:
        return sum(values)

    def reduced(self, key: str, value: Any) -> None:
        self.results.append((key, value))
        if value == 13:
            raise ZeroDivisionError("a bad number")


def tally(tree: FakeTree, rank: int) -> Tally:
    service = tree[rank].services["tally"]
    assert isinstance(service, Tally)
    return service


async def give(tree: FakeTree, **by_rank: int) -> None:
    for rank, n in by_rank.items():
        await tree[int(rank[1:])].call("tally.give", {"n": n})


def reports(tree: FakeTree, rank: int) -> int:
    """How many requests rank sent: only reports are requests here."""
    return tally(tree, rank).sent[0]


def test_contributions_of_one_turn_go_up_together() -> None:
    async def scenario(tree: FakeTree) -> None:
        for rank in range(7):
            tree[rank].request("tally.give", {"n": 1})
        await tree[0].advance()
        assert tally(tree, 0).results[-1] == ("k", 7)
        assert [reports(tree, rank) for rank in (3, 4, 5, 6)] == [1, 1, 1, 1]
        assert reports(tree, 1) <= 3 and reports(tree, 2) <= 3

    grow(scenario, Tally, FakeTree(7))


def test_a_report_replaces_the_last_one_of_that_link() -> None:
    async def scenario(tree: FakeTree) -> None:
        await give(tree, r3=1, r4=1)
        await tree[0].advance()
        await give(tree, r3=5)
        await give(tree, r3=5)
        await tree[0].advance()
        assert tally(tree, 0).results[-1] == ("k", 6)
        assert reports(tree, 3) == 2  # what has not changed is not told again

    grow(scenario, Tally, FakeTree(7))


def test_what_is_taken_back_counts_no_more_and_leaves_nothing() -> None:
    async def scenario(tree: FakeTree) -> None:
        await give(tree, r3=1, r4=2)
        await tree[0].advance()
        for rank in (3, 4):
            await tree[rank].call("tally.take")
            await tree[0].advance()
        assert [value for _, value in tally(tree, 0).results[-2:]] == [2, 0]
        before = [reports(tree, rank) for rank in range(7)]
        for rank in range(7):
            tally(tree, rank).parent_changed()  # a new parent is told all that there is
        await tree[0].advance()
        assert [reports(tree, rank) for rank in range(7)] == before
        await give(tree, r3=5)
        await tree[0].advance()
        assert tally(tree, 0).results[-1] == ("k", 5)

    grow(scenario, Tally, FakeTree(7))


def test_keys_are_apart() -> None:
    async def scenario(tree: FakeTree) -> None:
        for key in ("b", "a"):
            await tree[2].call("tally.give", {"n": 2, "key": key})
            await tree[1].call("tally.give", {"n": 1, "key": key})
        await tree[0].advance()
        assert dict(tally(tree, 0).results) == {"a": 3, "b": 3}

    grow(scenario, Tally, FakeTree(3))


def test_a_lost_link_takes_what_it_contributed_along() -> None:
    async def scenario(tree: FakeTree) -> None:
        await give(tree, r0=1, r1=1, r3=1, r4=1)
        await tree[0].advance()
        tree.cut(1)
        await tree[0].advance()
        assert tally(tree, 0).results[-1] == ("k", 1)

    grow(scenario, Tally, FakeTree(7))


def test_a_new_parent_is_told_everything_again() -> None:
    async def scenario(tree: FakeTree) -> None:
        await give(tree, r0=1, r1=1, r3=1, r4=1)
        await tree[0].advance()
        tree.cut(1)
        tree.adopt(1, 2)
        await tree[0].advance()
        assert tally(tree, 0).results[-1] == ("k", 4)

    grow(scenario, Tally, FakeTree(7))


def test_a_service_that_is_unloaded_takes_its_contribution_back() -> None:
    async def scenario(tree: FakeTree) -> None:
        await give(tree, r0=1, r1=1, r3=1)
        await tree[0].advance()
        await tree[3].unload("tally")
        await tree[0].advance()
        assert tally(tree, 0).results[-1] == ("k", 2)
        await tree[3].load(Tally)

    grow(scenario, Tally, FakeTree(7))


def test_a_report_from_before_the_end_of_a_round_does_not_count_in_the_next() -> None:
    async def scenario(tree: FakeTree) -> None:
        await give(tree, r1=1)
        await tree[0].advance()
        tally(tree, 0).publish("tally.over", {"key": "k"})
        await tree[0].advance()
        tally(tree, 2).notify("tally.reduce", {"key": "k", "value": 7, "seen": 0}, upstream=True)
        await give(tree, r1=2)
        await tree[0].advance()
        assert tally(tree, 0).results == [("k", 1), ("k", 2)]

    grow(scenario, Tally, FakeTree(3))


def test_only_a_child_reports() -> None:
    async def scenario(tree: FakeTree) -> None:
        report = {"key": "k", "value": 7, "seen": 0}
        assert await tree[0].refusal("tally.reduce", report) == (EPERM, "tally.reduce is for brokers")
        await give(tree, r1=1)
        await tree[0].advance()
        assert tally(tree, 0).results == [("k", 1)]

    grow(scenario, Tally, FakeTree(3))


def test_a_result_that_its_service_cannot_take_is_logged() -> None:
    async def scenario(tree: FakeTree) -> None:
        await give(tree, r1=13)
        await tree[0].advance()
        assert "ZeroDivisionError: a bad number" in tree[0].logged[0][2]
        await give(tree, r1=1)
        await tree[0].advance()
        assert tally(tree, 0).results[-1] == ("k", 1)

    grow(scenario, Tally, FakeTree(3))


@pytest.mark.parametrize(("count", "moment"), [(0, 5.0), (3, 0.0)])
def test_contributions_wait_for_a_time_or_until_there_are_enough(count: int, moment: float) -> None:
    class Slow(Tally):
        reduce_delay = 5.0
        reduce_count = count

        def reduced(self, key: str, value: Any) -> None:
            self.results.append((key, self.host.now()))

    async def scenario(tree: FakeTree) -> None:
        for key in "abc":
            await tree[0].call("slow.give", {"n": 1, "key": key})
        await tree[0].advance(6)
        service = tree[0].services["slow"]
        assert isinstance(service, Slow)
        assert service.results == [(key, moment) for key in "abc"]

    grow(scenario, Slow, FakeTree(1))


def test_a_service_that_is_gone_reports_nothing_any_more() -> None:
    class Late(Tally):
        reduce_delay = 5.0

    async def scenario(tree: FakeTree) -> None:
        await tree[1].call("late.give", {"n": 1})
        await tree[1].unload("late")
        await tree[0].advance(10)
        service = tree[0].services["late"]
        assert isinstance(service, Late)
        assert service.received[0] == 0 and service.results == []
        await tree[1].load(Late)

    grow(scenario, Late, FakeTree(2))
