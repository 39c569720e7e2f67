"""What -S may not say."""

from errno import EINVAL, EPERM

import pytest

from flux.broker.defaults import CHANGEABLE, FACTS, OTHERS, OURS, check


@pytest.mark.parametrize("name", sorted(FACTS))
def test_a_fact_cannot_be_set_and_is_named(name: str) -> None:
    with pytest.raises(OSError, match=f"-S {name}:") as refused:
        check(name, "1", 4)
    assert refused.value.errno == EPERM


@pytest.mark.parametrize("value", ["0", "5", "-1", "many", "1.5"])
def test_a_quorum_that_can_never_be_is_refused(value: str) -> None:
    with pytest.raises(OSError, match=f"'{value}' is not a number from 1 to the size, 4") as refused:
        check("broker.quorum", value, 4)
    assert refused.value.errno == EINVAL


@pytest.mark.parametrize("value", ["", "1", "4"])
def test_a_quorum_up_to_the_size_is_fine(value: str) -> None:
    check("broker.quorum", value, 4)


def test_no_default_is_a_fact() -> None:
    assert not FACTS & set(CHANGEABLE)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("heartbeat.periode", r"unknown attribute; did you mean heartbeat\.period\?"),
        ("tbon.top", r"unknown attribute; did you mean tbon\.topo\?"),
        ("x", r"unknown attribute; one of your own begins with vendor\."),
        ("vendor", "unknown attribute"),
    ],
)
def test_a_name_that_nobody_knows_is_refused(name: str, why: str) -> None:
    with pytest.raises(OSError, match=f"-S {name}: {why}") as refused:
        check(name, "1", 4)
    assert refused.value.errno == EINVAL


@pytest.mark.parametrize("name", ["vendor.a", "test.a", "statedir", "broker.shutdown-timeout", "content.hash"])
def test_what_others_read_may_be_set(name: str) -> None:
    check(name, "x", 4)


def test_a_name_is_known_for_one_reason() -> None:
    assert not OURS & OTHERS
    assert not FACTS & (OURS | OTHERS)
