"""What holds for a broker's place in the tree."""

import pytest
import zmq

from flux.base.config import from_toml, joined
from flux.broker import tuning
from flux.broker.attributes import AttributeTable
from flux.runtime.tuning import Tuning

FILE = joined(from_toml('[tbon]\ntopo = "kary:3"\ntcp_user_timeout = "30s"\nzmq_io_threads = 4\n', "a.toml"))
EMPTY = joined()


def shown(given: dict[str, str], rank: int = 0) -> dict[str, str]:
    """The attributes of a broker."""
    table = AttributeTable(given)
    tree = tuning.settled(FILE, given)
    tuning.describe(tree, table, rank)
    tuning.describe_torpid(tree, table)
    return {name.removeprefix("tbon."): table.get(name) for name in table.names() if name.startswith("tbon.")}


def test_attributes_show_what_is_in_force() -> None:
    assert shown({}) == {
        "tcp_user_timeout": "30s",
        "connect_timeout": "30s",
        "child_rcvhwm": "0",
        "zmqdebug": "0",
        "zmq_io_threads": "4",
        "interface-hint": "default-route",
        "torpid_min": "5s",
        "torpid_max": "30s",
    }


def test_what_is_said_on_the_command_line_prevails() -> None:
    given = {
        "tbon.tcp_user_timeout": "1h",
        "tbon.connect_timeout": "0",
        "tbon.torpid_max": "0",
        "tbon.child_rcvhwm": "2",
        "tbon.zmq_io_threads": "2",
        "tbon.interface-hint": "eth0",
    }
    assert shown(given) == {
        "tcp_user_timeout": "1h",
        "connect_timeout": "0s",
        "child_rcvhwm": "2",
        "zmqdebug": "0",
        "zmq_io_threads": "2",
        "interface-hint": "eth0",
        "torpid_min": "5s",
        "torpid_max": "0s",
    }


def test_only_rank_0_has_more_threads() -> None:
    assert shown({}, rank=1)["zmq_io_threads"] == "1"


@pytest.mark.parametrize(
    ("given", "shape"),
    [({}, "kary:3"), ({"tbon.topo": "binomial"}, "binomial"), ({"tbon.fanout": "5"}, "kary:5")],
)
def test_the_shape_is_by_command_line_then_by_file(given: dict[str, str], shape: str) -> None:
    assert tuning.shape(FILE, given, by_config=False) == tuning.shape(FILE, given, by_config=True) == shape


def test_the_topology_that_nobody_chooses_depends_on_how_the_brokers_find_each_other() -> None:
    assert tuning.shape(EMPTY, {}, by_config=False) == "kary:32"
    assert tuning.shape(EMPTY, {}, by_config=True) == "custom"
    both = {"tbon.topo": "mincrit", "tbon.fanout": "5"}
    assert tuning.shape(EMPTY, both, by_config=False) == "mincrit"


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"tbon.tcp_user_timeout": "zzz"}, "-S tbon.tcp_user_timeout: 'zzz' is not a duration"),
        ({"tbon.zmq_io_threads": "-1"}, "-S tbon.zmq_io_threads: must be 1 to 1024, not -1"),
        ({"tbon.zmq_io_threads": "x"}, "-S tbon.zmq_io_threads: must be an integer, not a string"),
        ({"tbon.child_rcvhwm": "1"}, r"-S tbon.child_rcvhwm: must be 0 \(no limit\) or 2 or more, not 1"),
        ({"tbon.zmqdebug": "1"}, "-S tbon.zmqdebug: is always 0 here"),
        ({"tbon.topo": "foo"}, "-S tbon.topo: unknown topology 'foo'"),
        ({"tbon.fanout": "x"}, "tbon.topo: unknown topology 'kary:x'"),
    ],
)
def test_what_the_command_line_may_not_say_is_named(given: dict[str, str], reason: str) -> None:
    with pytest.raises(OSError, match=f"^.Errno 22. {reason}" if "fanout" not in str(given) else reason):
        tuning.settled(EMPTY, given)


def test_a_topology_that_there_is_not_is_named_with_its_file() -> None:
    bad = joined(from_toml('[tbon]\n\ntopo = "notascheme:42"', "a.toml"))
    with pytest.raises(OSError, match=r"a.toml:3: tbon.topo: unknown topology 'notascheme:42'"):
        tuning.settled(bad, {})


def test_a_cycle_of_hosts_is_named_with_its_file() -> None:
    hosts = 'hosts = [{ host = "a" }, { host = "b", parent = "c" }, { host = "c", parent = "b" }]'
    bad = joined(from_toml(f'[bootstrap]\ncurve_cert = "x"\n{hosts}', "a.toml"))
    with pytest.raises(
        OSError, match=r"a.toml:3: bootstrap.hosts: custom topology: a cycle of parents: ranks 1 -> 2 -> 1"
    ):
        tuning.tree_by_config(bad, "custom")
    assert tuning.tree_by_config(bad, "kary:1").maxlevel() == 2


def test_sockets_are_tuned() -> None:
    tree = tuning.settled(FILE, {"tbon.child_rcvhwm": "7", "tbon.connect_timeout": "1.5s"})
    assert tuning.sockets(tree, 0, True) == Tuning(1.5, 30.0, 7, 4, True)
    with zmq.Context() as context, context.socket(zmq.ROUTER) as down, context.socket(zmq.DEALER) as up:
        for socket in (down, up):
            tuning.sockets(tree, 0, True).apply(socket)
            assert (socket.getsockopt(zmq.CONNECT_TIMEOUT), socket.getsockopt(zmq.TCP_MAXRT)) == (1500, 30_000)
            assert socket.getsockopt(zmq.IPV6)
        assert down.getsockopt(zmq.RCVHWM) == 7
        assert up.getsockopt(zmq.RCVHWM) != 7
