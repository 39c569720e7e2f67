"""A job folded from what its nodes say."""

from errno import EHOSTUNREACH
from typing import Any

from flux.modules.wreck.leader import Action, Answer, Ask, Leader, Over
from flux.shell.plan import plan


def leader(ntasks: int = 4, ranks: tuple[int, ...] = (0, 3), started: bool = True) -> Leader:
    made = Leader(7, plan(ntasks, ranks))
    for node in range(len(ranks)) if started else ():
        made.heard(node, "started", {"pids": []})
    return made


def finish(status: int, tasks: str) -> dict[str, Any]:
    return {"status": status, "exits": {str(status): tasks}}


def test_a_client_learns_first_where_its_tasks_are() -> None:
    assert leader(started=False).accepted() == [
        Answer("accept", {"taskmap": {"version": 1, "map": [[0, 2, 2, 1]]}, "ranks": [0, 3]})
    ]


def test_it_has_started_when_all_nodes_have() -> None:
    made = leader(started=False)
    assert made.heard(1, "started", {"pids": [1]}) == []
    assert made.heard(0, "started", {"pids": [2]}) == [
        Answer("start", {}),
        Answer("add-credit", {"channels": {"stdin": 65536}}),
    ]


def test_it_ends_when_all_nodes_have_with_the_highest_code() -> None:
    made = leader()
    assert made.heard(0, "finish", finish(512, "0-1")) == []
    assert made.heard(1, "finish", finish(256, "2-3")) == [
        Answer("finish", {"status": 512, "exits": {"512": "0-1", "256": "2-3"}}),
        Over(),
    ]


def test_doubled_output_is_dropped() -> None:
    made = leader()
    said = {"seq": 1, "io": {"stream": "stdout"}}
    assert made.heard(1, "output", said) == [Answer("output", {"node": 1, **said})]
    assert made.heard(1, "output", said) == []
    assert made.heard(0, "output", said) != []


def test_the_first_failure_decides_and_ends_the_others() -> None:
    made = leader(started=False)
    failed = {"errnum": 2, "note": "x: No such file or directory", "status": 127 << 8}
    assert made.heard(0, "failed", failed) == [
        Answer("exception", {"severity": 0, "type": "exec", "note": failed["note"], "errnum": 2}),
        Ask(0, "wreck.end", {"id": 7}),
        Ask(3, "wreck.end", {"id": 7}),
    ]
    assert made.heard(1, "failed", failed) == []
    made.heard(0, "finish", finish(127 << 8, "0-1"))
    (told, over) = made.heard(1, "finish", finish(9, "2-3"))
    assert isinstance(told, Answer)
    assert told.data["status"] == 127 << 8
    assert over == Over()


def test_a_lost_rank_is_named_and_its_tasks_count_as_killed() -> None:
    made = leader()
    assert made.lost(1, EHOSTUNREACH, "") == [
        Answer("exception", {"severity": 0, "type": "node", "note": "rank 3: lost", "errnum": EHOSTUNREACH}),
        Ask(0, "wreck.end", {"id": 7}),
        Ask(3, "wreck.end", {"id": 7}),
    ]
    assert made.lost(1, EHOSTUNREACH, "") == []
    assert made.heard(1, "finish", finish(0, "2-3")) == []
    assert made.heard(0, "finish", finish(9, "0-1")) == [Answer("finish", {"status": 9, "exits": {"9": "0-3"}}), Over()]


def test_a_client_that_leaves_ends_the_job() -> None:
    made = leader()
    assert made.abandoned()[1:] == [Ask(0, "wreck.end", {"id": 7}), Ask(3, "wreck.end", {"id": 7})]
    assert made.state == "failing"


def test_signals_input_and_acknowledgements_go_to_those_that_run() -> None:
    made = leader()
    assert made.signal(15) == [Ask(rank, "wreck.signal", {"id": 7, "signum": 15}) for rank in (0, 3)]
    io = {"stream": "stdin", "data": "x"}
    assert made.write(io) == [Ask(rank, "wreck.input", {"id": 7, "io": io}) for rank in (0, 3)]
    assert made.acknowledge({"1": 5, "x": 3, "9": 1}) == [Ask(3, "wreck.consumed", {"id": 7, "seq": 5})]
    made.heard(1, "finish", finish(0, "2-3"))
    assert made.signal(15) == [Ask(0, "wreck.signal", {"id": 7, "signum": 15})]


def test_stdin_is_granted_as_the_slowest_node_takes_it() -> None:
    made = leader()
    assert made.heard(0, "credit", {"bytes": 10}) == []
    granted: list[Action] = made.heard(1, "credit", {"bytes": 4})
    assert granted == [Answer("add-credit", {"channels": {"stdin": 4}})]
    assert made.heard(1, "finish", finish(0, "2-3")) == [Answer("add-credit", {"channels": {"stdin": 6}})]


def test_a_barrier_brings_everybody_s_pairs_together() -> None:
    made = leader()
    assert made.entered(0, {"a": "1"}) is None
    assert made.entered(1, {"b": "2"}) == {"a": "1", "b": "2"}
    assert made.entered(1, {"c": "3"}) is None


def test_what_is_not_known_says_nothing() -> None:
    assert leader().heard(0, "weather", {}) == []
