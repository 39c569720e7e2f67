"""Whole histories of clusters, planned by every policy: nothing is given twice, promises are kept."""

from heapq import heappop, heappush
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flux.base.constraint import Nodes, parse
from flux.base.jobspec import Resources, Slot
from flux.base.rset import Share
from flux.modules.sched.plan import CONSERVATIVE, EASY, FCFS, LATE, Never, Plan, Running, Start
from flux.modules.sched.pool import Pool
from flux.modules.sched.waiting import FIRST, Line, Waiting

NNODES, CORES, MEMORY = 3, 4, 100
ODD = parse({"ranks": ["1"]})


class Wish(NamedTuple):
    """A job of a history: when it comes, what it wants, how long it runs and says that it will."""

    comes: int
    wanted: Resources
    runs: int
    limited: bool = True
    odd: bool = False
    priority: int = 16


slots = st.builds(
    Resources, st.builds(Slot, st.integers(1, 3), st.integers(0, 1), st.sampled_from([0, 0, 20, 60])), st.integers(1, 4)
)
nodes = st.builds(Resources, st.builds(Slot, st.integers(1, 2)), st.integers(1, 2), st.integers(1, 3), st.booleans())
wishes = st.builds(
    Wish,
    st.integers(0, 20),
    slots | nodes,
    st.integers(1, 9),
    st.booleans(),
    st.booleans(),
    st.sampled_from([16, 16, 16, 20]),
)
policies = pytest.mark.parametrize("depth", [FCFS, EASY, CONSERVATIVE])


def pool() -> Pool:
    ranks = range(NNODES)
    made = Pool(dict.fromkeys(ranks, Share((1 << CORES) - 1, 1, MEMORY)), Nodes(frozenset(ranks), {}, {}))
    made.mark(ranks, up=True)
    return made


class History:
    """Plays jobs from their coming to their end, in virtual time."""

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.pool, self.line = pool(), Line()
        self.running: dict[int, Running] = {}
        self.started: dict[int, float] = {}
        self.promised: dict[int, float] = {}

    def play(self, wished: list[Wish]) -> None:
        todo: list[tuple[float, int, int]] = [(wish.comes, 1, id) for id, wish in enumerate(wished)]
        todo.sort()
        while todo:
            now = todo[0][0]
            while todo and todo[0][0] == now:
                _, what, id = heappop(todo)
                if what == 1:
                    self.line.add(self.waiting(id, wished[id]))
                else:
                    self.pool.give(self.running.pop(id).allocation)
            for id in self.plan(now):
                heappush(todo, (now + wished[id].runs, 0, id))

    def waiting(self, id: int, wish: Wish) -> Waiting:
        duration = float(wish.runs) if wish.limited else 0.0
        constraint = ODD if wish.odd else None
        kind = (wish.wanted, duration, constraint)
        return Waiting(id, wish.priority, wish.comes, wish.wanted, duration, constraint, "", kind)

    def plan(self, now: float) -> list[int]:
        begun = []
        plan = Plan(self.pool, self.running, now, depth=self.depth)
        for step in plan.steps(self.line):
            if isinstance(step, Start):
                job = step.job
                self.line.remove(job.id)
                self.running[job.id] = Running(now + job.duration if job.duration else LATE, step.allocation)
                self.started[job.id] = now
                begun.append(job.id)
                self.check()
        for id, start in plan.estimates.items():
            self.promised.setdefault(id, start)
        return begun

    def check(self) -> None:
        """No core and no GPU is given twice, and none that is not there."""
        for rank in range(NNODES):
            cores, gpus, memory = [self.pool.free.get(rank, Share()).cores], [0], 0
            for running in self.running.values():
                share = running.allocation.get(rank, Share())
                cores.append(share.cores)
                gpus.append(share.gpus)
                memory += share.memory
            assert sum(cores) == (1 << CORES) - 1, f"cores of rank {rank}: {cores}"
            assert sum(gpus) <= 1 and memory <= MEMORY


def possible(wish: Wish) -> bool:
    return bool(pool().find(wish.wanted, ODD if wish.odd else None))


@policies
@settings(max_examples=200, deadline=None)
@given(st.lists(wishes, max_size=25))
def test_every_job_gets_what_it_wants_and_nothing_is_given_twice(depth: int, wished: list[Wish]) -> None:
    wished = [wish for wish in wished if possible(wish)]
    history = History(depth)
    history.play(wished)
    assert len(history.started) == len(wished)
    assert not history.running and history.pool.free == pool().free


@settings(max_examples=200, deadline=None)
@given(st.lists(wishes, max_size=25))
def test_without_backfill_nobody_overtakes(wished: list[Wish]) -> None:
    wished = [wish._replace(comes=0, priority=16) for wish in wished if possible(wish)]
    history = History(FCFS)
    history.play(wished)
    assert [history.started[id] for id in sorted(history.started)] == sorted(history.started.values())


@pytest.mark.parametrize("depth", [EASY, CONSERVATIVE])
@settings(max_examples=200, deadline=None)
@given(st.lists(wishes, max_size=25))
def test_who_was_promised_a_time_starts_by_then(depth: int, wished: list[Wish]) -> None:
    """As long as nobody of a higher priority comes."""
    wished = [wish._replace(limited=True, priority=16) for wish in wished if possible(wish)]
    history = History(depth)
    history.play(wished)
    for id, start in history.promised.items():
        assert history.started[id] <= start


def line(*jobs: Waiting) -> Line:
    made = Line()
    for job in jobs:
        made.add(job)
    return made


def job(id: int, wanted: Resources, duration: float = 0.0, **more: object) -> Waiting:
    return Waiting(id, 16, float(id), wanted, duration, **more)  # type: ignore[arg-type]


def begun(depth: int, made: Line, running: dict[int, Running], now: float = 0.0, **how: float) -> list[int]:
    free = pool()
    for one in running.values():
        free.take(one.allocation)
    steps = Plan(free, running, now, depth=depth, **how).steps(made)
    return [step.job.id for step in steps if isinstance(step, Start)]


ALL = Resources(Slot(1), CORES * NNODES)
ONE = Resources(Slot(1), 1)
HALF = {7: Running(10.0, {0: Share(15, 1, MEMORY)})}


def test_a_short_job_goes_before_one_that_has_to_wait_and_a_long_one_does_not() -> None:
    made = line(job(1, ALL), job(2, ONE, 11.0), job(3, ONE, 9.0))
    assert begun(FCFS, made, HALF) == []
    assert begun(EASY, made, HALF) == [3]


def test_a_job_without_limit_does_not_take_what_is_waited_for_until_something_unknown_ends() -> None:
    forever = {7: Running(LATE, {0: Share(15, 1, MEMORY)})}
    assert begun(EASY, line(job(1, ALL), job(2, ONE)), forever) == []
    assert begun(EASY, line(job(1, ALL), job(2, ONE, 1000.0)), forever) == [2]


def test_one_queue_does_not_stand_in_the_way_of_another() -> None:
    made = line(job(1, ALL, queue="a"), job(2, ONE, queue="a"), job(3, ONE, queue="b"))
    assert begun(FCFS, made, HALF) == [3]


def test_nothing_starts_that_cannot_end_before_the_instance_does() -> None:
    made = line(job(1, ONE, 20.0), job(2, ONE, 5.0))
    steps = list(Plan(pool(), {}, 100.0, depth=FCFS, end=110.0).steps(made))
    assert [type(step) for step in steps] == [Never, Start]


def test_whole_nodes_are_given_whole() -> None:
    found = pool().find(Resources(Slot(1), 1, 2, exclusive=True))
    assert found == {0: Share(15, 1, MEMORY), 1: Share(15, 1, MEMORY)}


def test_slots_are_kept_together_where_they_fit() -> None:
    free = pool()
    free.take({0: Share(0b0111)})
    assert free.find(Resources(Slot(1), 2)) == {1: Share(0b0011)}
    assert free.find(Resources(Slot(1), 1)) == {0: Share(0b1000)}
    assert free.find(Resources(Slot(2), 4)) == {1: Share(15), 2: Share(15)}


def test_what_is_down_is_not_given_and_comes_back_without_what_is_allocated() -> None:
    free = pool()
    free.mark([0, 1, 2], up=False)
    assert free.find(ONE) == {}
    free.mark([1], up=True, allocated={1: Share(0b0011)})
    assert free.find(ONE) == {1: Share(0b0100)}


def test_memory_runs_out_as_cores_do() -> None:
    free = Pool({0: Share(15, 0, 1000)}, Nodes(frozenset((0,)), {}, {}))
    free.mark([0], up=True)
    wanted = Resources(Slot(1, 0, 400), 2)
    first = free.find(wanted)
    assert first == {0: Share(3, 0, 800)}
    free.take(first)
    assert free.find(Resources(Slot(1, 0, 400), 1)) == {}
    assert free.find(Resources(Slot(1, 0, 200), 1)) == {0: Share(4, 0, 200)}
    free.give(first)
    assert free.find(wanted) == first


def test_the_line_is_by_priority_then_by_time_and_survives_changes_on_the_way() -> None:
    made = line(*(job(id, ONE) for id in range(1, 6)))
    made.move(4, 31)
    seen, place = [], FIRST
    while (at := made.after(place)) is not None:
        seen.append(at.id)
        place = at.place
        made.remove(1 if at.id == 4 else at.id)
    assert seen == [4, 2, 3, 5]
    assert len(made) == 1 and 4 in made


def test_a_node_all_of_whose_cores_were_taken_is_whole_again_afterwards() -> None:
    free = pool()
    taken = free.find(Resources(Slot(1), CORES))
    free.take(taken)
    free.give(taken)
    assert len(free.find(Resources(Slot(1), 1, NNODES, exclusive=True))) == NNODES
