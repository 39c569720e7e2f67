"""Hostlist against recorded vectors and as today's `flux.hostlist`."""

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.hostlist import Hostlist, decode

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "hostlist.json").read_text())
names = st.from_regex(r"[a-c]{0,2}-?[0-9]{0,3}x?", fullmatch=True).filter(bool)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v["in"])
def test_text_reads_as_recorded(vector: dict[str, Any]) -> None:
    if "error" in vector:
        with pytest.raises(ValueError):
            Hostlist(vector["in"])
    else:
        hosts = Hostlist(vector["in"])
        assert (str(hosts), hosts.count(), hosts.expand()) == (vector["out"], vector["count"], vector["hosts"])


@given(st.lists(names))
def test_text_reads_back_as_the_same_hosts(hosts: list[str]) -> None:
    assert list(Hostlist(hosts)) == hosts
    assert list(Hostlist(str(Hostlist(hosts)))) == hosts


@given(st.lists(names, min_size=1), st.data())
def test_hosts_are_found_and_deleted_where_a_list_has_them(hosts: list[str], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(hosts) - 1))
    some = Hostlist(hosts)
    assert some[at] == hosts[at]
    assert some.find(hosts[at]) == hosts.index(hosts[at])
    assert some.delete([hosts[at]]) == 1
    hosts.remove(hosts[at])
    assert list(some) == hosts and len(some) == len(hosts)


@given(st.text())
def test_no_text_raises_anything_but_a_value_error(text: str) -> None:
    with contextlib.suppress(ValueError):
        Hostlist(text)


@pytest.mark.parametrize("text", ["[]", "foo[]", "foo[1,3", "foo[[1,3]", "foo[x-y]", "foo[0-1,2--5]", "n[0-99999999]"])
def test_bad_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="Invalid hostlist"):
        decode(text)


@pytest.mark.parametrize("arg", [42, 1.0, ["foo", 42]])
def test_what_is_not_text_is_a_type_error(arg: Any) -> None:
    with pytest.raises(TypeError):
        decode(arg)


def test_appending_joins_runs_and_keeps_order() -> None:
    hosts = Hostlist("foo[0-3]")
    assert hosts.append("foo[7-9]") == 3
    assert hosts.append(Hostlist("foo1,bar")) == 2
    assert str(hosts) == "foo[0-3,7-9,1],bar"
    hosts.append(["bar0", "bar1"])
    assert str(hosts) == "foo[0-3,7-9,1],bar,bar[0-1]"


def test_positions_may_be_negative_slices_or_several() -> None:
    hosts = decode("foo[0-9]")
    assert hosts[-1] == "foo9"
    assert str(hosts[8:]) == "foo[8-9]"
    assert str(hosts[1, 2, 3]) == "foo[1-3]"
    with pytest.raises(IndexError):
        hosts[10]
    with pytest.raises(TypeError):
        hosts["a"]  # type: ignore[index]


def test_sort_and_uniq_order_by_number() -> None:
    assert str(decode("foo[7,6,5,4,3,2,1]").sort()) == "foo[1-7]"
    assert str(decode("foo[1-7,1-7],bar").uniq()) == "bar,foo[1-7]"
    assert str(decode("foo10,foo9").sort()) == "foo[9-10]"


def test_index_names_what_is_missing() -> None:
    hosts = decode("foo[0-10]")
    assert hosts.index("foo[1,5,7]") == [1, 5, 7]
    assert hosts.index("foo[9-11]", ignore_nomatch=True) == [9, 10]
    with pytest.raises(FileNotFoundError, match="'foo11' not found"):
        hosts.index("foo[9-11]")
    assert "foo5" in hosts and "foo05" not in hosts and "foo" not in hosts


def test_deleting_splits_a_run() -> None:
    hosts = decode("foo[0-10]")
    assert hosts.delete("foo1,foo3,foo5,nobody") == 3
    assert str(hosts) == "foo[0,2,4,6-10]"
    assert hosts.copy().delete("foo[6-7]") == 2
    assert len(hosts) == 8
