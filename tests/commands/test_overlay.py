"""`flux overlay`, `up`, `down`, `topo`, `comms` and `snoop` in a session that is rewired, and loses a broker."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.session import FLUX, Session
from tests.session import session as new_session

KARY2 = """\
0: full
├─ 1: full
│  ├─ 3: full
│  └─ 4: full
└─ 2: full
   ├─ 5: full
   └─ 6: full
"""
KARY3 = """\
0: full
├─ 1: full
│  ├─ 4: full
│  ├─ 5: full
│  └─ 6: full
├─ 2: full
└─ 3: full
"""


@pytest.fixture(scope="module")
def tree() -> Iterator[Session]:
    """Seven brokers in a tree of twos."""
    with new_session(7, "-Stbon.topo=kary:2") as running:
        assert running.flux("overlay", "status", "--wait", "full", "--summary").out == "full\n"
        yield running


def shape(session: Session, *words: str) -> str:
    """The tree without the names of hosts."""
    done = session.flux(*(words or ("topo",)))
    assert (done.code, done.err) == (0, "")
    return re.sub(r"(\d) \S+:", r"\1:", done.out)


def test_the_tree_is_drawn(tree: Session) -> None:
    assert shape(tree) == shape(tree, "overlay", "status") == KARY2
    assert shape(tree, "overlay", "status", "--no-pretty").splitlines()[2] == "3: full"
    assert re.search(r"0 \S+: full for \d\S+ \(\d+\.\d{3} ms\)", tree.flux("overlay", "status", "-vv").out)
    assert tree.flux("overlay", "status", "--down").out == ""
    assert shape(tree, "overlay", "status", "-r", "2") == "2: full\n├─ 5: full\n└─ 6: full\n"


def test_the_tree_is_a_graph_for_graphviz(tree: Session) -> None:
    lines = tree.flux("topo", "--dot").out.splitlines()
    assert lines[0] == "digraph flux {" and lines[-1] == "}"
    assert sorted(line.strip() for line in lines if "->" in line)[:3] == ["0 -> 1;", "0 -> 2;", "1 -> 3;"]


def test_who_is_marked_and_who_is_above_are_in_another_colour_or_in_brackets(tree: Session) -> None:
    lines = tree.flux("overlay", "status", "--highlight", "3", "--color=always").out.splitlines()
    assert [bool(re.search(r"\x1b\[1;34m", line)) for line in lines] == [True, True, True, False, False, False, False]
    plain = tree.flux("overlay", "status", "--highlight", "3").out.splitlines()
    assert ["<<" in line for line in plain] == [True, True, True, False, False, False, False]
    assert re.fullmatch(r"│  ├─ <<3 \S+>>: full", plain[2])


def on_terminal(session: Session, *words: str) -> str:
    """What a command shows where its output and errors are a terminal."""
    ours, theirs = os.openpty()
    with subprocess.Popen([FLUX, *words], env=os.environ | {"FLUX_URI": session.uri}, stdout=theirs, stderr=theirs):
        os.close(theirs)
        said = b""
        with suppress(OSError):  # EIO: nobody has it open any more
            while data := os.read(ours, 65536):
                said += data
    os.close(ours)
    return said.decode()


def test_on_a_terminal_the_tree_has_colours_and_reshaping_shows_how_far_it_is(tree: Session) -> None:
    assert "\x1b[32mfull\x1b[0m" in on_terminal(tree, "topo")
    said = on_terminal(tree, "overlay", "reshape", "kary:2")
    assert "\r5 of 6 brokers are in their place\r\x1b[K0 of 7 brokers moved: kary:2" in said


def test_ranks_have_hosts_and_parents(tree: Session) -> None:
    host = tree.flux("getattr", "hostlist").out.split(",")[0]
    assert tree.flux("overlay", "lookup", "3").out == f"{host}\n"
    assert tree.flux("overlay", "lookup", host).out == "0-6\n"
    assert tree.flux("overlay", "parentof", "5").out == "2\n"


def test_a_broker_moves_and_goes_back_and_the_shape_can_be_another(tree: Session) -> None:
    assert tree.flux("comms", "-r", "3", "reparent", "2").code == 0
    assert tree.flux("overlay", "parentof", "3").out == "2\n"
    assert tree.flux("comms", "-r", "3", "recover").code == 0
    assert tree.flux("comms", "-r", "3", "failover").code == 0
    assert tree.flux("overlay", "parentof", "3").out == "0\n"
    assert tree.flux("overlay", "reshape", "kary:3").out == "2 of 7 brokers moved: kary:3\n"
    assert shape(tree) == KARY3
    assert tree.flux("overlay", "reshape", "kary:1").code == 0
    assert tree.flux("overlay", "parentof", "6").out == "5\n"
    assert tree.flux("overlay", "reshape", "kary:2").code == 0
    assert shape(tree) == KARY2


def test_a_parent_is_named_by_where_it_listens_as_well(tree: Session) -> None:
    uri = tree.flux("exec", "-r", "2", "flux", "getattr", "tbon.endpoint").out.strip()
    assert tree.flux("comms", "-r", "4", "reparent", uri).code == 0
    assert tree.flux("overlay", "parentof", "4").out == "2\n"
    assert tree.flux("comms", "-r", "4", "recover").code == 0


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["comms", "-r", "1", "reparent", "3"], "flux-comms: rank 3 is below rank 1"),
        (["comms", "-r", "1", "reparent", "1"], "flux-comms: rank 1 cannot be its own parent"),
        (["comms", "-r", "0", "reparent", "1"], "flux-comms: rank 0 has no parent"),
        (
            ["comms", "-r", "1", "reparent", "99"],
            "flux-comms: rank 99 is not in this instance (its ranks are 0 to 6)",
        ),
        (
            ["comms", "reparent", "ipc:///nobody"],
            "flux-comms: ipc:///nobody: no broker of this instance listens there",
        ),
        (["comms", "-r", "1", "failover"], "flux-comms: rank 1 has nobody to fail over to"),
        (["comms", "-r", "1-3", "panic"], "flux-comms: '1-3': one rank is wanted"),
        (["comms", "panic", "-r", "all"], "flux-comms: 'all': one rank is wanted"),
        (["overlay", "trace", "-r", "99"], "flux-overlay: rank 99 is not in this instance (its ranks are 0 to 6)"),
        (["overlay", "parentof", "0"], "flux-overlay: rank 0 has no parent"),
        (["overlay", "disconnect", "0"], "flux-overlay: rank 0 has no parent"),
        (["overlay", "disconnect", "-r", "1", "5"], "flux-overlay: rank 5 is not a child of rank 1"),
        (["overlay", "lookup", "x"], "flux-overlay: 'x' is neither a rank nor a host of this instance"),
        (
            ["overlay", "reshape", "star"],
            "flux-overlay: tbon.topo: unknown topology 'star' (known: kary:K, mincrit, mincrit:K, binomial, custom)",
        ),
        (["overlay", "trace", "-t", "x"], "flux-overlay: --type: 'x' is not one of request, response, event, control"),
    ],
)
def test_what_cannot_be_is_one_line_and_changes_nothing(tree: Session, words: list[str], complaint: str) -> None:
    done = tree.flux(*words)
    assert (done.code, done.err) == (1, f"{complaint}\n")
    assert shape(tree) == KARY2


def test_a_broker_shows_its_place(tree: Session) -> None:
    assert tree.flux("comms", "info").out == "rank=0\nsize=7\narity=2\n"
    assert tree.flux("comms", "info", "-r", "3").out == tree.flux("comms", "-r", "3", "info").out
    assert tree.flux("comms", "info", "-r", "3").out == "rank=3\nsize=7\narity=2\n"
    idle = json.loads(tree.flux("comms", "idle", "-r", "1").out)
    assert sorted(idle) == ["0", "3", "4"] and all(round(peer["idle"], 3) == peer["idle"] for peer in idle.values())
    assert tree.flux("comms", "recover-all", "-r", "3").code == 0


def test_the_tree_is_json_for_programs(tree: Session) -> None:
    found = json.loads(tree.flux("topo", "--json").out)
    assert (found["rank"], found["status"]) == (0, "full")
    assert [[below["rank"] for below in child["children"]] for child in found["children"]] == [[3, 4], [5, 6]]
    one = json.loads(tree.flux("overlay", "status", "--json", "-r", "1", "--down").out)
    assert (one["rank"], one["host"], one["children"]) == (1, found["host"], [])


def test_messages_can_be_looked_on_at(tree: Session) -> None:
    with tree.popen("snoop", "-c", "2", "test.*") as snooping:
        assert snooping.stdout is not None
        while snooping.poll() is None:
            tree.flux("event", "pub", "test.seen")
        said = snooping.stdout.read().splitlines()
    assert all(re.fullmatch(r"\S+ [rt]x \S+ e test\.seen \[\d+\]", line) for line in said), said
    assert len(said) == 2


def test_messages_between_brokers_are_shown_with_times_that_are_easier_to_read(tree: Session) -> None:
    with tree.popen("overlay", "trace", "-H", "-d", "-f", "-c", "2", "-t", "response", "broker.nosuch") as tracing:
        assert tracing.stdout is not None
        while tracing.poll() is None:
            tree.flux("python", "-c", "import flux; flux.Flux().rpc('broker.nosuch', nodeid=1).wait_for(9)")
        said = tracing.stdout.read()
    line = r"\[[^]]*\] rx 1 < broker\.nosuch \[\d+\] ENOSYS\nUnknown service method 'broker\.nosuch'\n"
    assert re.fullmatch(line * 2, said), said
    assert tree.flux("overlay", "trace", "-d").err == "flux-overlay: --delta can only be used with --human\n"


def test_who_dies_is_missing_and_those_below_are_not() -> None:
    with new_session(7, "-Stbon.topo=kary:2") as session:
        assert (session.flux("up").out, session.flux("down").code) == ("0-6\n", 1)
        assert session.flux("down", "--hosts").out == ""
        online = session.popen("overlay", "status", "--wait", "degraded", "--summary")
        assert session.flux("comms", "-r", "1", "panic", "a test").code == 0
        assert online.communicate()[0] == "degraded\n"
        whole = "0: degraded\n├─ 1: lost connection lost\n├─ 2: full\n│  ├─ 5: full\n│  └─ 6: full\n"
        assert shape(session) == f"{whole}├─ 3: full\n└─ 4: full\n"
        assert "1:" not in shape(session, "overlay", "status", "--no-ghost")
        assert (session.flux("up").out, session.flux("up", "--count").out) == ("0,2-6\n", "6\n")
        assert (session.flux("down").out, session.flux("down").code) == ("1\n", 0)
        assert json.loads(session.flux("down", "--json").out) == {"up": "0,2-6", "slow": "", "down": "1"}
        assert re.fullmatch(r"1 \(\S+\): connection lost\n", session.flux("overlay", "errors").out)
        for words in (("comms", "-r", "1", "recover"), ("comms", "-r", "1", "panic")):
            assert session.flux(*words).err == f"flux-{words[0]}: rank 1: No route to host\n"
        assert session.flux("overlay", "reshape", "kary:1").out == "4 of 7 brokers moved: kary:1 without 1\n"
        assert [session.flux("overlay", "parentof", rank).out for rank in "236"] == ["0\n", "2\n", "5\n"]
        assert session.flux("overlay", "disconnect", "6").code == 0
        assert session.flux("down").out == "1,6\n"
