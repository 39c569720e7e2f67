"""Booting by configuration: rank, size, endpoints and the parent, with no PMI to ask."""

from errno import EINVAL
from pathlib import Path

import pytest

from flux.base.config import Config, from_toml, joined
from flux.broker import boot
from flux.broker.attributes import AttributeTable
from flux.broker.bootconfig import ConfigBoot
from flux.overlay.card import read_card
from flux.runtime import system
from flux.runtime.certificate import fresh_certificate, save
from flux.runtime.pmi import Bootstrap

HOSTS = """
default_port = 9001
default_bind = "tcp://lo:%p"
[[bootstrap.hosts]]
host = "h[0-3]"
[[bootstrap.hosts]]
host = "h[0-1]"
connect = "tcp://%h:%p"
[[bootstrap.hosts]]
host = "h2"
parent = "h1"
[[bootstrap.hosts]]
host = "h3"
parent = "h2"
"""


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """A configuration of four hosts, with a certificate."""
    save(fresh_certificate({}), f"{tmp_path}/cert")
    return joined(from_toml(f'[bootstrap]\ncurve_cert = "{tmp_path}/cert"{HOSTS}', "a.toml"))


def at(config: Config, hostname: str) -> ConfigBoot:
    found = boot.method(Bootstrap({}), config, {"hostname": hostname})
    assert isinstance(found, ConfigBoot)
    return found


def test_a_broker_has_its_rank_by_its_hosts_name(config: Config) -> None:
    assert [(at(config, f"h{n}").rank, at(config, f"h{n}").size) for n in range(4)] == [(n, 4) for n in range(4)]


def test_a_host_that_is_not_among_them_is_named(config: Config) -> None:
    with pytest.raises(OSError, match=r"bootstrap.hosts: h9, this host, is not among them") as refused:
        at(config, "h9")
    assert refused.value.errno == EINVAL


@pytest.mark.parametrize("name", [system.hostname(), system.full_hostname()])
def test_our_own_name_counts_with_and_without_its_domain(name: str) -> None:
    alone = joined(from_toml(f'[bootstrap]\nhosts = [{{ host = "{name}" }}]', "a.toml"))
    found = boot.method(Bootstrap({}), alone, {})
    assert (found.rank, found.size, boot.method_name(found)) == (0, 1, "config")


def test_an_empty_table_is_a_session_of_one() -> None:
    found = boot.method(Bootstrap({}), Config({"bootstrap": {}}), {})
    assert (found.rank, found.size) == (0, 1)


def test_everybody_has_the_same_keys_and_knows_where_the_others_are(config: Config) -> None:
    one, attributes = at(config, "h1"), AttributeTable({"hostname": "h1"})
    where = boot.reach(one, attributes)
    assert where.keys is not None and where.keys == at(config, "h0").keys
    assert where.bind is not None and where.bind() == ("tcp://lo:9001", "tcp://lo:9002")
    assert where.reached is not None and where.reached() == ("tcp://h1:9001", "tcp://h1:9002")
    tree = boot.tree_of(one, config, "custom")
    assert [tree.parent(rank) for rank in range(4)] == [None, 0, 1, 2]
    own = read_card(1, one.get("1"))._replace(uuid=boot.identity(one))
    cards = boot.exchange(one, own, tree, attributes, where.local)
    assert cards.keys() == {0, 2, 3}
    assert (cards[0].tree, cards[0].event) == ("tcp://h0:9001", "tcp://h0:9002")
    assert {card.pubkey for card in cards.values()} == {where.keys.public.decode()}
    assert attributes.get("hostlist") == "h[0-3]"


def test_each_life_of_a_broker_has_a_uuid_of_its_own(config: Config) -> None:
    assert boot.identity(at(config, "h1")) != boot.identity(at(config, "h1"))


def test_a_parent_that_nobody_can_connect_to_is_named(config: Config) -> None:
    with pytest.raises(OSError, match=r"bootstrap.hosts: h2 \(rank 2\) has no address to connect to"):
        boot.tree_of(at(config, "h3"), config, "custom")
    assert boot.tree_of(at(config, "h3"), config, "kary:2").parent(3) == 1


def test_a_broker_with_children_needs_an_address_to_listen_at(tmp_path: Path) -> None:
    save(fresh_certificate({}), f"{tmp_path}/cert")
    text = f'[bootstrap]\ncurve_cert = "{tmp_path}/cert"\nhosts = [{{ host = "h[0-1]" }}]'
    where = boot.reach(at(joined(from_toml(text, "a.toml")), "h0"), AttributeTable())
    assert where.bind is not None
    with pytest.raises(OSError, match=r"h0 \(rank 0\) has children, but no bind address"):
        where.bind()


def test_a_certificate_that_is_not_there_is_named() -> None:
    text = '[bootstrap]\ncurve_cert = "/no/such"\nhosts = [{ host = "h[0-1]" }]'
    with pytest.raises(OSError, match=r"bootstrap.curve_cert: /no/such: No such file or directory"):
        at(joined(from_toml(text, "a.toml")), "h0")


def test_the_command_line_may_choose_another_way(config: Config) -> None:
    assert boot.method_name(boot.method(Bootstrap({}), config, {"broker.boot-method": "single"})) == "single"
    with pytest.raises(OSError, match=r"-S broker.boot-method=simple: there is no PMI"):
        boot.method(Bootstrap({}), config, {"broker.boot-method": "simple"})


def test_without_such_a_table_it_is_as_pmi_says() -> None:
    alone = Bootstrap({})
    assert boot.method(alone, Config(), {}) is alone
