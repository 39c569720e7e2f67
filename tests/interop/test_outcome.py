"""When a case passes, when it fails, and what is said of it."""

from interop import tree_cases
from interop.cases import CASES
from interop.normal import Said, normal
from interop.outcome import Outcome
from interop.report import failures, report
from interop.words import Reworded, differing, shows

ONE, TWO = Said(0, "1\n", ""), Said(0, "2\n", "")


def test_times_addresses_and_routes_are_no_difference() -> None:
    assert normal("2026-01-02T03:04:05.678901Z a.err[0]: x  \n") == "TIME a.err[0]: x\n"
    assert normal("0!kvs.ping pad=0 seq=0 time=0.167 ms (29b5dde2!1295c8d4)") == (
        "0!kvs.ping pad=0 seq=0 time=T ms (ROUTE)"
    )
    assert normal("local:///tmp/flux-ab12/local-3") == "local://RUNDIR/local-3"


def test_the_number_of_an_event_is_no_difference_but_that_of_a_ping_is() -> None:
    assert normal("seq=18\n") == normal("seq=22\n")
    assert normal("pad=0 seq=18 time=1 ms") != normal("pad=0 seq=19 time=1 ms")


def test_exit_code_output_and_errors_are_compared() -> None:
    said = Said(1, "a\n", "flux-x: y: no\n")
    assert said.lines() == ["exit 1", "out: a", "err: flux-x: y: no"]
    assert said.lines(reworded=True) == ["exit 1", "out: a", "err: flux-x"]


def test_our_broker_must_let_their_command_say_what_it_says_at_home() -> None:
    outcome = Outcome("c", today=ONE, theirs=TWO, ours=ONE, home=TWO)
    assert outcome.broker == ["-out: 1", "+out: 2"]
    assert outcome.command == []


def test_our_command_may_say_of_their_broker_what_either_says_at_home() -> None:
    assert not Outcome("c", today=ONE, theirs=ONE, ours=ONE, home=TWO).command
    assert not Outcome("c", today=ONE, theirs=ONE, ours=TWO, home=TWO).command
    assert Outcome("c", today=ONE, theirs=ONE, ours=Said(1, "", ""), home=TWO).command


def test_a_reworded_case_needs_the_same_program_to_complain() -> None:
    wanted = Said(1, "", "flux-x: y: no\n")
    fine, other = Said(1, "", "flux-x: never\n"), Said(1, "", "flux-z: y: no\n")
    assert not Outcome(Reworded("c"), wanted, fine, wanted, wanted).broker
    assert Outcome(Reworded("c"), wanted, other, wanted, wanted).broker
    assert Outcome("c", wanted, fine, wanted, wanted).broker


def test_the_report_shows_the_lines_that_differ_and_counts() -> None:
    good, bad = Outcome("good", ONE, ONE, ONE, ONE), Outcome("bad", ONE, TWO, ONE, ONE)
    assert failures([good, bad]) == [bad]
    assert report([good, bad])[2:] == [
        "pass           pass                          good",
        "FAIL           pass                          bad",
        "      our broker: -out: 1",
        "      our broker: +out: 2",
        "2 cases, 1 passed, 1 failed",
    ]


def test_where_the_two_differ_at_home_is_shown_to_who_asks() -> None:
    outcome = Outcome("c", ONE, ONE, TWO, TWO)
    assert "no" in report([outcome])[2]
    assert "      words: +out: 2" in report([outcome], verbose=True)


def test_a_list_is_asked_for_words() -> None:
    assert shows("lsattr", "a", "b").startswith("for n in a b; do flux lsattr ")


def test_no_case_is_there_twice() -> None:
    cases = [*CASES, *tree_cases.CASES]
    assert len(set(cases)) == len(cases)


def test_a_case_that_is_meant_to_differ_fails_when_it_does_not() -> None:
    case = differing("ours does more", "c")
    meant, alike = Outcome(case, ONE, TWO, ONE, ONE), Outcome(case, ONE, ONE, ONE, ONE)
    assert failures([meant, alike]) == [alike]
    assert report([meant, alike])[2:] == [
        "differs        pass                          c",
        "      ours does more",
        "pass           pass                          c",
        "      ours does more: no longer",
        "2 cases, 0 passed, 1 failed, 1 meant to differ",
    ]
