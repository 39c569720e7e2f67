"""What the brokers of one host are told of each other before they are there."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from flux.broker import boot
from flux.broker.attributes import AttributeTable
from flux.overlay.card import read_card
from flux.overlay.topology import topology
from flux.runtime.pmi import Bootstrap, Forked


@contextmanager
def forked(rank: int, pairs: dict[str, str]) -> Iterator[Forked]:
    """PMI as a broker of three sees it that `flux start` has forked. Whoever asks the server waits for ever."""
    ours, theirs = socket.socketpair()
    with ours:
        pmi = Forked(theirs, rank, 3, pairs)
        yield pmi
        pmi.close()
        assert ours.recv(100) == b""


def test_each_knows_its_own_uuid_and_where_its_parent_will_listen() -> None:
    pairs = boot.foretold(3, {"rundir": "/run/x"})
    cards = [read_card(rank, pairs[str(rank)]) for rank in range(3)]
    assert len({card.uuid for card in cards}) == 3
    assert [card.tree for card in cards] == [f"ipc:///run/x/tbon-{rank}" for rank in range(3)]
    with forked(2, pairs) as pmi:
        assert boot.identity(pmi) == cards[2].uuid


def test_who_has_been_told_puts_nothing_and_waits_for_nobody() -> None:
    attributes = AttributeTable()
    with forked(2, boot.foretold(3, {"rundir": "/run/x"})) as pmi:
        own = read_card(2, pmi.get("2"))
        assert boot.reach(pmi, attributes) == boot.Reach(True, None)
        assert boot.exchange(pmi, own, topology("kary:2", 3), attributes, True).keys() == {0}
    assert attributes.get("broker.mapping") == "[[0,1,3,1]]"
    assert attributes.get("hostlist") == ",".join([own.host] * 3)


@pytest.mark.parametrize(("setting", "told"), [("0", True), ("", True), ("1", False)])
def test_ports_cannot_be_foretold(setting: str, told: bool) -> None:
    with forked(0, boot.foretold(3, {"rundir": "/run/x", "tbon.prefertcp": setting})) as pmi:
        assert pmi.told == told


def test_without_pmi_a_broker_makes_up_its_uuid() -> None:
    assert boot.identity(Bootstrap({})) != boot.identity(Bootstrap({}))
