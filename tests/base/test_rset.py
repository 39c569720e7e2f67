"""Resource sets: read, written, added and taken apart."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.base import mask
from flux.base.idset import IDset
from flux.base.invalid import Invalid
from flux.base.rset import ResourceSet, Share

R: dict[str, Any] = {
    "version": 1,
    "execution": {
        "R_lite": [
            {"rank": "0-1", "children": {"core": "0-3", "gpu": "0"}},
            {"rank": "2", "children": {"core": "1,3"}},
        ],
        "nodelist": ["a[0-1],b"],
        "properties": {"fast": "0,2"},
        "starttime": 10.0,
        "expiration": 70.0,
    },
}

shares = st.builds(Share, st.integers(1, 255), st.integers(0, 3), st.just(0))
sets = st.dictionaries(st.integers(0, 6), shares, max_size=4).map(
    lambda ranks: ResourceSet(dict(sorted(ranks.items())))
)


@given(st.integers(0, 2**40))
def test_bits_have_the_text_of_an_idset(bits: int) -> None:
    assert mask.text(bits) == IDset([n for n in range(41) if bits >> n & 1]).encode()
    assert mask.parse(mask.text(bits)) == bits


@given(st.integers(0, 2**20), st.data())
def test_the_lowest_bits(bits: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(0, bits.bit_count()))
    taken = mask.lowest(bits, count)
    assert taken.bit_count() == count and taken & ~bits == 0
    assert not count or not (bits & ~taken) & ((1 << taken.bit_length()) - 1)


def test_what_is_read_is_written_again() -> None:
    assert ResourceSet.parse(R).encode() == R


def test_what_there_is_can_be_counted_and_named() -> None:
    found = ResourceSet.parse(R)
    assert [found.count(kind) for kind in ("node", "core", "gpu")] == [3, 10, 2]
    assert found.nodelist == "a[0-1],b"
    assert str(found) == "rank[0-1]/core[0-3],gpu0 rank2/core[1,3]"


def test_a_part_keeps_hosts_and_properties_of_its_ranks() -> None:
    part = ResourceSet.parse(R).restricted([1, 2])
    assert part.nodelist == "a1,b"
    assert part.properties == {"fast": {2}}
    assert part.encode()["execution"]["R_lite"][0] == {"rank": "1", "children": {"core": "0-3", "gpu": "0"}}


@given(sets, sets)
def test_what_is_taken_away_and_added_again_is_what_there_was(one: ResourceSet, other: ResourceSet) -> None:
    both = one.union(other)
    assert both.covers(one) and both.covers(other)
    rest = both.difference(other)
    assert rest.union(other).ranks == both.ranks
    assert not rest or not other.covers(rest)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"version": 2}, "R: version 2, not 1"),
        ({"execution": {}}, "R: no R_lite"),
        ({"execution": {"R_lite": [{"rank": "0-", "children": {}}]}}, "R: "),
        ({"execution": {"R_lite": [{"rank": "0", "children": {"core": "x"}}]}}, "R: "),
        ({"execution": {"R_lite": [{"rank": "0", "children": {}}] * 2}}, "R: rank 0 is in it twice"),
        ({"execution": {"R_lite": [{"rank": "0", "children": {}}], "nodelist": ["a,b"]}}, "R: 2 hosts for 1 ranks"),
        ({"execution": [1]}, "R: "),
    ],
)
def test_what_is_no_set_says_why(change: dict[str, Any], text: str) -> None:
    with pytest.raises(Invalid) as caught:
        ResourceSet.parse(R | change)
    assert str(caught.value).startswith(text)
