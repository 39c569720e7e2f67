"""A job folded from what its nodes say."""

from collections.abc import Iterable
from errno import EAGAIN, EHOSTUNREACH, ENOENT, ENOSYS
from typing import Any

from flux.modules.wreck.actions import Action, Again, Answer, Ask, Over, Release, Start
from flux.modules.wreck.leader import Leader
from flux.shell.plan import plan


def leader(ntasks: int = 4, ranks: tuple[int, ...] = (0, 3), started: bool = True) -> Leader:
    made = Leader(7, plan(ntasks, ranks), patience=15)
    for node, rank in enumerate(ranks) if started else ():
        made.heard(node, 1, "here", {"host": f"host{rank}"})
        made.heard(node, 1, "started", {"pids": []})
    return made


def finish(status: int, tasks: str, seq: int = 0) -> dict[str, Any]:
    return {"status": status, "exits": {str(status): tasks}, "seq": seq}


def orders(actions: Iterable[Action]) -> list[tuple[int, str, int]]:
    """To which rank goes what, and under which number."""
    return [(a.rank, a.topic, a.data.get("number", 0)) for a in actions if isinstance(a, Ask)]


def exceptions(actions: Iterable[Action]) -> list[tuple[int, str, str]]:
    """Severity, type and note of those that the client is told."""
    told = [action.data for action in actions if isinstance(action, Answer) and action.type == "exception"]
    return [(data["severity"], data["type"], data["note"]) for data in told]


def question(attempt: int, resume: bool, after: int, consumed: int = 0) -> dict[str, Any]:
    return {"attempt": attempt, "resume": resume, "after": after, "consumed": consumed}


def wrote(seq: int) -> dict[str, Any]:
    return {"seq": seq, "io": {"stream": "stdout", "rank": "0", "data": f"{seq}\n"}}


# -- when all goes well ---------------------------------------------------------------------------------------------


def test_a_client_learns_first_where_its_tasks_are_then_nodes_are_started() -> None:
    assert leader(started=False).begin() == [
        Answer("accept", {"taskmap": {"version": 1, "map": [[0, 2, 2, 1]]}, "ranks": [0, 3]}),
        Start(0, 0, question(1, False, 0)),
        Start(1, 3, question(1, False, 0)),
    ]


def test_it_has_started_when_all_nodes_have() -> None:
    made = leader(started=False)
    assert made.heard(1, 1, "started", {"pids": [1]}) == []
    assert made.heard(0, 1, "started", {"pids": [2]}) == [
        Answer("start", {}),
        Answer("add-credit", {"channels": {"stdin": 65536}}),
    ]
    assert made.heard(0, 1, "started", {"pids": [2]}) == []


def test_it_ends_when_all_nodes_have_with_the_highest_code() -> None:
    made = leader()
    assert made.heard(0, 1, "finish", finish(512, "0-1")) == []
    assert made.heard(1, 1, "finish", finish(256, "2-3")) == [
        Answer("finish", {"status": 512, "exits": {"512": "0-1", "256": "2-3"}}),
        Over(),
    ]


def test_the_first_failure_decides_and_ends_the_others() -> None:
    made = leader(started=False)
    failed = {"errnum": 2, "note": "x: No such file or directory", "status": 127 << 8}
    told, *rest = made.heard(0, 1, "failed", failed)
    assert told == Answer("exception", {"severity": 0, "type": "exec", "note": failed["note"], "errnum": 2})
    assert orders(rest) == [(0, "wreck.end", 1), (3, "wreck.end", 1)]
    assert made.heard(1, 1, "failed", failed) == []
    made.heard(0, 1, "finish", finish(127 << 8, "0-1"))
    (told, over) = made.heard(1, 1, "finish", finish(9, "2-3"))
    assert isinstance(told, Answer)
    assert told.data["status"] == 127 << 8
    assert over == Over()


def test_a_client_that_leaves_ends_the_job() -> None:
    made = leader()
    assert orders(made.abandoned()) == [(0, "wreck.end", 1), (3, "wreck.end", 1)]
    assert made.state == "failing"


def test_signals_input_and_acknowledgements_go_to_those_that_run() -> None:
    made = leader()
    assert orders(made.signal(15)) == [(0, "wreck.signal", 1), (3, "wreck.signal", 1)]
    io = {"stream": "stdin", "data": "x"}
    assert made.write(io)[1] == Ask(1, 1, 3, "wreck.input", {"id": 7, "io": io, "number": 2})
    for seq in range(1, 6):
        made.heard(1, 1, "output", wrote(seq))
    assert made.acknowledge({"1": 5, "x": 3, "9": 1}) == [Ask(1, 1, 3, "wreck.consumed", {"id": 7, "seq": 5})]
    made.heard(1, 1, "finish", finish(0, "2-3", 5))
    assert orders(made.signal(15)) == [(0, "wreck.signal", 3)]


def test_stdin_is_granted_as_the_slowest_node_takes_it() -> None:
    made = leader()
    assert made.heard(0, 1, "credit", {"taken": 6}) == []
    assert made.heard(0, 1, "credit", {"taken": 10}) == []
    granted: list[Action] = made.heard(1, 1, "credit", {"taken": 4})
    assert granted == [Answer("add-credit", {"channels": {"stdin": 4}})]
    assert made.heard(1, 1, "credit", {"taken": 4}) == []
    assert made.heard(1, 1, "finish", finish(0, "2-3")) == [Answer("add-credit", {"channels": {"stdin": 6}})]


def test_a_barrier_brings_everybody_s_pairs_together_however_often_each_comes() -> None:
    made = leader()
    assert made.heard(0, 1, "enter", {"round": 1, "pairs": {"a": "1"}}) == []
    assert made.heard(0, 1, "enter", {"round": 1, "pairs": {"a": "1"}}) == []
    released = made.heard(1, 1, "enter", {"round": 1, "pairs": {"b": "2"}})
    assert released[1] == Ask(1, 1, 3, "wreck.release", {"id": 7, "pairs": {"a": "1", "b": "2"}, "number": 1})
    assert made.heard(1, 1, "enter", {"round": 1, "pairs": {"b": "2"}}) == []
    assert made.heard(1, 1, "enter", {"round": 2, "pairs": {"c": "3"}}) == []


def test_what_is_not_known_says_nothing() -> None:
    assert leader().heard(0, 1, "weather", {}) == []


# -- when something is lost -----------------------------------------------------------------------------------------


def test_a_node_that_cannot_be_reached_is_asked_for_what_is_missing() -> None:
    made = leader()
    made.heard(1, 1, "output", wrote(1))
    made.heard(1, 1, "output", wrote(2))
    made.acknowledge({"1": 1})
    assert made.broken(1, 1, EHOSTUNREACH, "", 100.0) == [Again(1, 2, 0.0)]
    assert made.broken(1, 1, EHOSTUNREACH, "", 100.0) == []  # the same loss
    assert made.heard(1, 1, "output", wrote(3)) == []  # from before it
    assert made.again(1, 2) == [Start(1, 3, question(2, True, 2, 1))]
    assert made.heard(1, 2, "output", wrote(2)) == []
    assert made.heard(1, 2, "output", wrote(3)) == [Answer("output", {"node": 1, **wrote(3)})]


def test_orders_that_were_not_obeyed_are_given_again_in_order() -> None:
    made = leader()
    first = made.signal(10)[1]
    second = made.write({"data": "x"})[1]
    assert isinstance(first, Ask)
    assert isinstance(second, Ask)
    assert made.asked(first, 0, 100.0) == []
    assert made.asked(second, EHOSTUNREACH, 100.0) == [Again(1, 2, 0.0)]
    assert orders(made.signal(12)) == [(0, "wreck.signal", 3)]  # the other one hears it when it is back
    start, *again = made.again(1, 2)
    assert start == Start(1, 3, question(2, True, 0))
    assert orders(again) == [(3, "wreck.input", 2), (3, "wreck.signal", 3)]
    assert made.asked(second, EHOSTUNREACH, 100.0) == []


def test_an_order_that_comes_too_early_or_to_who_does_not_know_the_job_is_given_again() -> None:
    for errnum in (EAGAIN, ENOENT):
        made = leader()
        ask = made.signal(10)[1]
        assert isinstance(ask, Ask)
        assert made.asked(ask, errnum, 100.0) == [Again(1, 2, 0.0)]


def test_an_acknowledgement_that_is_lost_breaks_the_silence_of_a_node_that_waits_for_it() -> None:
    made = leader()
    made.heard(1, 1, "output", wrote(1))
    (ask,) = made.acknowledge({"1": 1})
    assert isinstance(ask, Ask)
    assert made.asked(ask, EHOSTUNREACH, 100.0) == [Again(1, 2, 0.0)]
    assert made.acknowledge({"1": 1}) == []
    assert made.again(1, 2) == [Start(1, 3, question(2, True, 1, 1))]


def test_output_that_does_not_follow_the_last_is_asked_for_again() -> None:
    made = leader()
    assert made.heard(1, 1, "output", wrote(2)) == [Again(1, 2, 0.0)]
    assert made.heard(1, 1, "output", wrote(1)) == []
    assert made.again(1, 2) == [Start(1, 3, question(2, True, 0))]
    assert made.heard(1, 2, "finish", finish(0, "2-3", 2)) == [Again(1, 3, 0.0)]


def test_doubled_output_is_dropped() -> None:
    made = leader()
    assert made.heard(1, 1, "output", wrote(1)) == [Answer("output", {"node": 1, **wrote(1)})]
    assert made.heard(1, 1, "output", wrote(1)) == []
    assert made.heard(0, 1, "output", wrote(1)) != []


def test_a_node_that_has_answered_may_be_lost_again_for_as_long() -> None:
    made = leader()
    pauses: list[float] = []
    for now in (100.0, 101.0, 110.0):
        (again,) = made.broken(1, len(pauses) + 1, EHOSTUNREACH, "", now)
        assert isinstance(again, Again)
        pauses.append(again.pause)
    assert pauses == [0.0, 0.05, 0.1]
    made.heard(1, 4, "here", {"host": "host3"})
    assert made.broken(1, 4, EHOSTUNREACH, "", 120.0) == [Again(1, 5, 0.0)]


def gone(made: Leader, node: int) -> list[Action]:
    """What follows when a node stays away for too long."""
    made.broken(node, 1, EHOSTUNREACH, "", 100.0)
    made.again(node, 2)
    return made.broken(node, 2, EHOSTUNREACH, "", 115.0)


def test_a_lost_rank_is_named_its_tasks_count_as_killed_and_the_others_run_on() -> None:
    made = leader()
    told = gone(made, 1)
    assert exceptions(told) == [(2, "node-lost", "rank 3 (host3): lost, and with it tasks 2-3")]
    assert told[1:] == [Release(1)]
    assert not made.counts_on(1)
    assert made.broken(1, 2, EHOSTUNREACH, "", 116.0) == []
    assert made.heard(1, 2, "finish", finish(0, "2-3")) == []
    assert made.heard(0, 1, "output", wrote(1)) != []
    ended = made.heard(0, 1, "finish", finish(0, "0-1", 1))
    assert ended == [Answer("finish", {"status": 9, "exits": {"9": "2-3", "0": "0-1"}}), Over()]


def test_a_node_that_has_forgotten_the_job_is_lost_at_once() -> None:
    told = leader().broken(1, 1, ENOENT, "knows nothing of the job any more", 100.0)
    note = "rank 3 (host3): knows nothing of the job any more, and with it tasks 2-3"
    assert exceptions(told) == [(2, "node-lost", note)]
    assert exceptions(leader().broken(1, 1, ENOSYS, "", 1.0))[0][:2] == (2, "node-lost")


def test_a_job_of_which_not_all_could_begin_ends_when_one_is_lost() -> None:
    made = leader(started=False)
    made.heard(0, 1, "started", {"pids": [1]})
    told = gone(made, 1)
    assert exceptions(told) == [(0, "node-lost", "rank 3: lost, and with it tasks 2-3")]
    assert orders(told) == [(0, "wreck.end", 1)]


def test_a_parallel_program_ends_when_a_part_of_it_is_lost() -> None:
    made = leader()
    made.heard(0, 1, "enter", {"round": 1, "pairs": {}})
    told = gone(made, 1)
    assert exceptions(told)[0][:2] == (0, "node-lost")
    assert orders(told) == [(0, "wreck.end", 1)]


def test_tasks_that_come_to_a_barrier_after_a_part_was_lost_are_not_kept_waiting() -> None:
    made = leader(6, (0, 3, 4))
    gone(made, 2)
    told = made.heard(0, 1, "enter", {"round": 1, "pairs": {}})
    assert exceptions(told) == [(0, "node-lost", "rank 4 (host4): lost, and others wait for it")]
    assert orders(told) == [(0, "wreck.end", 1), (3, "wreck.end", 1)]
