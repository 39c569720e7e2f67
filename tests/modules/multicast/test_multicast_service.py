"""multicast: one request to many ranks, one answer from all of them."""

import asyncio
from errno import ECANCELED, EHOSTUNREACH, EINVAL, ENOENT, ENOSYS, EPERM, ETIMEDOUT
from typing import Any

import pytest

from flux.base.gathered import Gathered, question
from flux.base.idset import IDset
from flux.modules.multicast.service import Multicast
from flux.service import ALL, LATER, Call, Later, Service, request
from flux.testing.sim import ROUGH, SimInstance, simulate
from flux.testing.tree import FakeTree, grow
from flux.wire.message import LOCAL, OWNER, USER, Response


class Target(Service):
    """What is asked."""

    async def start(self) -> None:
        self.asked: list[tuple[bytes, int, int]] = []
        self.left: list[bytes] = []
        self.waiting: list[Call] = []

    @request(allow=ALL)
    def rank(self, call: Call) -> dict[str, Any]:
        self.asked.append((call.sender, call.request.userid, call.request.rolemask))
        return {"odd": self.host.rank % 2}

    @request(allow=ALL)
    def even(self, call: Call) -> None:
        if self.host.rank % 2:
            raise OSError(ENOENT, "not even")

    @request()
    def owner(self, call: Call) -> None:
        self.asked.append((call.sender, call.request.userid, call.request.rolemask))

    @request(allow=ALL)
    def wait(self, call: Call, *, who: list[int]) -> Later | None:
        if self.host.rank not in who:
            return None
        self.waiting.append(call)
        return LATER

    @request(allow=ALL)
    def count(self, call: Call, *, to: int) -> Any:
        for number in range(to):
            yield {"number": number}
        if self.host.rank == 1:
            raise OSError(EINVAL, "that is enough")

    def disconnected(self, sender: bytes) -> None:
        self.left.append(sender)


async def ask(tree: FakeTree, rank: int, topic: str, ranks: str = "all", **how: Any) -> Gathered:
    timeout = how.pop("timeout", None)
    payload = how.pop("payload", None)
    return Gathered.read(await tree[rank].call("multicast.call", question(topic, payload, ranks, timeout), **how))


def target(tree: FakeTree, rank: int) -> Target:
    service = tree[rank].services["target"]
    assert isinstance(service, Target)
    return service


def run(scenario: Any, size: int = 7) -> None:
    async def with_target(tree: FakeTree) -> None:
        await tree.load(Target)
        await scenario(tree)
        for host in tree.hosts:
            if "target" in host.services:
                await host.unload("target")

    grow(with_target, Multicast, FakeTree(size))


@pytest.mark.parametrize("rank", [0, 1, 6])
def test_all_are_asked_once_from_wherever(rank: int) -> None:
    async def scenario(tree: FakeTree) -> None:
        found = await ask(tree, rank, "target.rank")
        answers = [(str(ranks), payload) for ranks, payload in found.answers]
        assert answers == [("0,2,4,6", {"odd": 0}), ("1,3,5", {"odd": 1})]
        assert found.errors == []
        assert [len(target(tree, rank).asked) for rank in range(7)] == [1] * 7

    run(scenario)


def test_an_edge_of_the_tree_carries_one_request() -> None:
    async def scenario(tree: FakeTree) -> None:
        await ask(tree, 0, "target.rank")
        sent = [tree[rank].services["multicast"].sent[0] for rank in range(15)]
        # Itself and two children; leaves are asked directly.
        assert sent == [3] * 7 + [0] * 8

    run(scenario, 15)


def test_errors_are_merged_and_name_their_ranks() -> None:
    async def scenario(tree: FakeTree) -> None:
        found = await ask(tree, 2, "target.even", "1-5")
        assert [(str(ranks), payload) for ranks, payload in found.answers] == [("2,4", None)]
        assert [(str(ranks), errnum, text) for ranks, errnum, text in found.errors] == [("1,3,5", ENOENT, "not even")]

    run(scenario)


def test_a_service_that_is_not_everywhere_is_missed_where_it_is_not() -> None:
    async def scenario(tree: FakeTree) -> None:
        await tree[3].unload("target")
        await tree[4].unload("target")
        found = await ask(tree, 0, "target.rank")
        assert [(str(ranks), errnum) for ranks, errnum, _ in found.errors] == [("3-4", ENOSYS)]

    run(scenario)


def test_the_callers_credentials_go_with_it_but_not_that_it_is_local() -> None:
    async def scenario(tree: FakeTree) -> None:
        found = await ask(tree, 1, "target.owner", userid=77, rolemask=USER | LOCAL)
        assert [(str(ranks), errnum) for ranks, errnum, _ in found.errors] == [("0-6", EPERM)]
        await ask(tree, 1, "target.rank", userid=77, rolemask=USER | LOCAL)
        assert [target(tree, rank).asked[0][1:] for rank in (0, 1, 3, 5)] == [
            (77, USER),
            (77, USER | LOCAL),
            (77, USER),
            (77, USER),
        ]
        await ask(tree, 1, "target.owner", userid=77, rolemask=OWNER | LOCAL)
        assert target(tree, 0).asked[-1][1:] == (77, OWNER)

    run(scenario)


def test_every_multicast_has_an_address_of_its_own() -> None:
    async def scenario(tree: FakeTree) -> None:
        await ask(tree, 0, "target.rank")
        await ask(tree, 0, "target.rank")
        first, second = (sender for sender, *_ in target(tree, 1).asked)
        assert first != second
        await ask(tree, 0, "target.disconnect", "1")
        assert target(tree, 1).left and not {first, second} & set(target(tree, 1).left)

    run(scenario)


@pytest.mark.parametrize(
    "question",
    [
        {"topic": "target.rank", "ranks": "0-9"},
        {"topic": "target.rank", "ranks": "2-1"},
        {"topic": "target", "ranks": "all"},
        {"topic": "multicast.call", "ranks": "all"},
        {"topic": "target.rank", "ranks": "all", "timeout": 0},
        {"topic": "target.rank", "ranks": "all", "hops": 1 << 20},
    ],
)
def test_what_cannot_be_asked_is_refused_and_nothing_done(question: dict[str, Any]) -> None:
    async def scenario(tree: FakeTree) -> None:
        assert (await tree[1].refusal("multicast.call", question))[0] == EINVAL
        assert not any(target(tree, rank).asked for rank in range(7))

    run(scenario)


def test_nobody_may_be_asked() -> None:
    async def scenario(tree: FakeTree) -> None:
        found = await ask(tree, 0, "target.rank", "")
        assert (found.answers, found.errors) == ([], [])

    run(scenario)


def test_those_that_take_too_long_time_out_and_are_told() -> None:
    async def scenario(tree: FakeTree) -> None:
        found = await ask(tree, 0, "target.wait", timeout=2.0, payload={"who": [0, 3, 4]})
        assert [str(ranks) for ranks, _ in found.answers] == ["1-2,5-6"]
        assert [(str(ranks), errnum) for ranks, errnum, _ in found.errors] == [("0,3-4", ETIMEDOUT)]
        assert tree[0].now() == 2.0
        await tree[0].advance()
        assert [len(target(tree, rank).left) for rank in (0, 3, 4)] == [1, 1, 1]

    run(scenario)


def test_who_leaves_takes_its_questions_along() -> None:
    async def scenario(tree: FakeTree) -> None:
        heard: list[Response] = []
        payload = question("target.wait", {"who": [0, 3, 6]})
        tree[0].request("multicast.call", payload, heard.append, sender=b"hasty")
        await tree[0].advance()
        assert [len(target(tree, rank).waiting) for rank in (0, 3, 6)] == [1, 1, 1]
        tree[0].request("multicast.disconnect", sender=b"hasty")
        await tree[0].advance()
        assert all(target(tree, rank).waiting[0].closed for rank in (0, 3, 6))
        assert [answer.errnum for answer in heard] == [ECANCELED]
        for host in tree.hosts:
            assert not host.services["multicast"].open_calls()

    run(scenario)


def test_a_stream_is_answered_in_short_turns() -> None:
    async def scenario(tree: FakeTree) -> None:
        said: dict[int, list[int]] = {}
        ended, errors, bundles = set(), [], 0
        async for body in tree[2].stream("multicast.call", question("target.count", {"to": 3}, "0-4")):
            found = Gathered.read(body)
            bundles += 1
            for ranks, payload in found.answers:
                for rank in ranks:
                    said.setdefault(rank, []).append(payload["number"])
            ended |= set(found.ended)
            errors += [(str(ranks), errnum) for ranks, errnum, _ in found.errors]
        assert said == {rank: [0, 1, 2] for rank in range(5)}
        assert (ended, errors) == ({0, 2, 3, 4}, [("1", EINVAL)])
        assert bundles <= 6

    run(scenario)


def test_plain_answers_may_be_streamed_as_they_come() -> None:
    async def scenario(tree: FakeTree) -> None:
        heard = IDset()
        asked = question("target.wait", {"who": [4]}) | {"single": True}
        async for body in tree[0].stream("multicast.call", asked):
            for ranks, _ in body["answers"]:
                heard.add(ranks)
            if str(heard) == "0-3,5-6":
                target(tree, 4).waiting[0].respond()
        assert str(heard) == "0-6"

    run(scenario)


def test_who_wants_no_answer_gets_none() -> None:
    async def scenario(tree: FakeTree) -> None:
        tree[3].request("multicast.call", question("target.rank"))
        await tree[0].advance()
        assert [len(target(tree, rank).asked) for rank in range(7)] == [1] * 7
        assert not any(host.services["multicast"].open_calls() for host in tree.hosts)

    run(scenario)


def test_ranks_behind_a_lost_link_are_unreachable() -> None:
    async def scenario(flux: SimInstance) -> None:
        flux.kill(1)
        found = Gathered.read(await flux[0].rpc("multicast.call", question("broker.rusage")))
        lost = [(str(ranks), errnum) for ranks, errnum, _ in found.errors]
        assert lost == [("1,3-4,7-10", EHOSTUNREACH)]
        assert set(found.by_rank()) == {0, 2, 5, 6, 11, 12, 13, 14}
        await asyncio.sleep(1)
        found = Gathered.read(await flux[5].rpc("multicast.call", question("broker.rusage", None, "1-2,11")))
        assert [(str(ranks), errnum) for ranks, errnum, _ in found.errors] == [("1", EHOSTUNREACH)]

    simulate(scenario, 15)


@pytest.mark.parametrize("seed", range(5))
def test_everybody_answers_once_whatever_the_weather(seed: int) -> None:
    async def scenario(flux: SimInstance) -> None:
        async def one(rank: int) -> None:
            found = Gathered.read(await flux[rank].rpc("multicast.call", question("attr.get", {"name": "rank"})))
            assert {rank: answer["value"] for rank, answer in found.by_rank().items()} == {
                rank: str(rank) for rank in range(40)
            }

        await asyncio.gather(*map(one, range(0, 40, 7)))

    simulate(scenario, 40, seed, weather=ROUGH)


@pytest.mark.parametrize("seed", range(8))
def test_every_rank_is_accounted_for_once_while_brokers_die(seed: int) -> None:
    async def scenario(flux: SimInstance) -> None:
        async def one(rank: int) -> None:
            await asyncio.sleep(flux.random.random() * 0.1)
            face = flux[rank].client()
            found = Gathered.read(await face.rpc("multicast.call", question("attr.get", {"name": "rank"})))
            sets = [*(reply.ranks for reply in found.answers), *(refusal.ranks for refusal in found.errors)]
            ranks = [rank for each in sets for rank in each]
            assert sorted(ranks) == list(range(31))
            assert {refusal.errnum for refusal in found.errors} <= {EHOSTUNREACH}
            flux[rank].leave(face)

        async def die(rank: int) -> None:
            await asyncio.sleep(flux.random.random() * 0.1)
            flux.kill(rank)

        await asyncio.gather(*map(one, (0, 1, 2, 5, 6, 13, 14) * 3), *map(die, (3, 9, 30)))

    simulate(scenario, 31, seed, weather=ROUGH)
