"""groups: who is a member is known at rank 0."""

import asyncio
from errno import EEXIST, ENOENT, EPERM, EPROTO
from typing import Any

from flux.modules.groups.service import Groups
from flux.service import Service
from flux.testing.host import FakeHost, play
from flux.testing.tree import FakeTree, grow
from flux.wire.message import LOCAL, OWNER, STREAMING, USER, Response

G = {"name": "g"}


class Watch:
    """What somebody is told about a group."""

    def __init__(self, host: FakeHost, name: str = "g", sender: bytes = b"watcher") -> None:
        self.told: list[str] = []
        host.request("groups.get", {"name": name}, self.hear, sender=sender, flags=STREAMING)

    def hear(self, answer: Response) -> None:
        if not answer.errnum:
            self.told.append(answer.body()["members"])


async def join(tree: FakeTree, *ranks: int, **how: Any) -> None:
    for rank in ranks:
        await tree[rank].call("groups.join", G, **how)
    await tree[0].advance()


async def members(tree: FakeTree) -> str:
    answer = await tree[0].call("groups.get", G, rolemask=USER)
    return str(answer["members"])


def test_members_are_told_now_and_at_each_change() -> None:
    async def scenario(tree: FakeTree) -> None:
        watch = Watch(tree[0])
        await join(tree, 0)
        await asyncio.gather(*(tree[rank].call("groups.join", G) for rank in (3, 4, 5, 6, 1)))
        await tree[0].advance()
        await tree[5].call("groups.leave", G)
        await tree[0].advance()
        assert (watch.told[:2], watch.told[-2:]) == (["", "0"], ["0-1,3-6", "0-1,3-4,6"])
        assert await members(tree) == "0-1,3-4,6"
        assert (await tree[0].call("groups.stats-get"))["subtree"] == {"g": "0-1,3-4,6"}
        assert (await tree[3].call("groups.stats-get"))["subtree"] == {"g": "3"}

    grow(scenario, Groups, FakeTree(7))


def test_all_that_join_at_once_are_told_in_a_few_steps() -> None:
    async def scenario(tree: FakeTree) -> None:
        watch = Watch(tree[0])
        await asyncio.gather(*(tree[rank].call("groups.join", G) for rank in range(31)))
        await tree[0].advance()
        assert watch.told[-1] == "0-30" and len(watch.told) <= 6

    grow(scenario, Groups, FakeTree(31))


def test_a_rank_is_a_member_once() -> None:
    async def scenario(host: FakeHost) -> None:
        assert await host.refusal("groups.leave", G) == (ENOENT, "rank 0 is not a member of g")
        await host.call("groups.join", G)
        assert await host.refusal("groups.join", G, sender=b"b") == (EEXIST, "rank 0 is already a member of g")

    play(scenario, Groups)


def test_one_joins_on_ones_own_broker() -> None:
    async def scenario(host: FakeHost) -> None:
        for method in ("join", "leave"):
            said = await host.refusal(f"groups.{method}", G, rolemask=OWNER)
            assert said == (EPROTO, f"groups.{method} is restricted to the local broker")
        assert (await host.refusal("groups.join", G, rolemask=USER | LOCAL))[0] == EPERM

    play(scenario, Groups)


def test_only_rank_0_is_asked() -> None:
    async def scenario(tree: FakeTree) -> None:
        assert await tree[1].refusal("groups.get", G) == (EPROTO, "this RPC is only available on rank 0")
        assert await tree[1].call("groups.get", G, nodeid=0) == {"members": ""}

    grow(scenario, Groups, FakeTree(2))


def test_who_hangs_up_leaves_and_is_told_nothing_more() -> None:
    async def scenario(tree: FakeTree) -> None:
        watch, other = Watch(tree[0]), Watch(tree[0], sender=b"other")
        await join(tree, 1, 2, sender=b"member")
        tree[1].disconnect(b"member")
        tree[0].disconnect(b"watcher")
        await tree[0].advance()
        assert (watch.told[-1], other.told[-1]) == ("1-2", "2")
        await join(tree, 1)  # the name is free again
        assert await members(tree) == "1-2"

    grow(scenario, Groups, FakeTree(3))


def test_a_lost_subtree_is_a_member_no_more_until_it_is_back() -> None:
    async def scenario(tree: FakeTree) -> None:
        await join(tree, *range(7))
        tree.cut(1)
        await tree[0].advance()
        assert await members(tree) == "0,2,5-6"
        tree.adopt(1, 2)
        await tree[0].advance()
        assert await members(tree) == "0-6"

    grow(scenario, Groups, FakeTree(7))


class Member(Service):
    """A service that is in a group."""

    async def start(self) -> None:
        await self.rpc("groups.join", G)


def test_a_service_that_is_unloaded_is_no_member_any_more() -> None:
    async def scenario(tree: FakeTree) -> None:
        await tree[1].load(Member)
        await tree[0].advance()
        assert await members(tree) == "1"
        await tree[1].unload("member")
        await tree[0].advance()
        assert await members(tree) == ""

    grow(scenario, Groups, FakeTree(3))


def test_a_group_without_members_or_watchers_is_forgotten() -> None:
    async def scenario(tree: FakeTree) -> None:
        watch = Watch(tree[0])
        await join(tree, 5, 2)
        for rank in (2, 5):
            await tree[rank].call("groups.leave", G)
            await tree[0].advance()
        tree[0].disconnect(b"watcher")
        assert watch.told[-2:] == ["5", ""]
        assert await members(tree) == ""
        assert (await tree[0].call("groups.stats-get"))["subtree"] == {}
        for host in tree.hosts:
            service = host.services["groups"]
            assert isinstance(service, Groups)
            assert (service._members, service._watching, service._joined) == ({}, {}, {})

    grow(scenario, Groups, FakeTree(7))
