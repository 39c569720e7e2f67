"""What holds for a broker's place in the tree: the configuration, and above it what -S says."""

from collections.abc import Mapping
from math import isinf
from typing import Any

from flux.base.config import Config, Tbon
from flux.base.config.lines import Path
from flux.base.config.settings import tbon
from flux.base.config.table import Complaint, Table
from flux.base.duration import exact_fsd
from flux.broker.attributes import AttributeTable
from flux.overlay.topology import Topology, topology
from flux.runtime.tuning import Tuning
from flux.service.ports import Attributes

PREFIX = "tbon."
TIMES = ("torpid_min", "torpid_max", "tcp_user_timeout", "connect_timeout")
NUMBERS = ("zmqdebug", "zmq_io_threads", "child_rcvhwm")
TEXTS = ("topo", "interface-hint")
PMI_TOPOLOGY, CONFIG_TOPOLOGY = "kary:32", "custom"
"""The tree's shape unless somebody wants another: when the brokers find each other by PMI, and by configuration."""


def settled(config: Config, given: Mapping[str, str]) -> Tbon:
    """The settings of the tree, with the attributes that -S gives. OSError(EINVAL) says whose fault it is."""
    said: dict[str, Any] = dict(config.values.get("tbon", {})) if config.tbon else {}
    ours = {name: given[PREFIX + name] for name in (*TIMES, *NUMBERS, *TEXTS) if PREFIX + name in given}
    said |= {name: _number(value) if name in NUMBERS else value for name, value in ours.items()}
    if "tbon.fanout" in given and "topo" not in ours:
        said["topo"] = f"kary:{given['tbon.fanout']}"

    def complaint(path: Path, reason: str) -> OSError:
        error = config.complaint(path, reason)
        return OSError(error.errno, f"-S {PREFIX}{path[1]}: {reason}") if path[1] in ours else error

    tree = tbon(Table(said, ("tbon",), complaint))
    if tree.topo:
        _check_topology(tree.topo, complaint)
    return tree


def _check_topology(text: str, complaint: Complaint) -> None:
    """Refuses what is no topology for any size, and says where it is from."""
    try:
        topology(text, 1)
    except OSError as error:
        raise complaint(("tbon", "topo"), str(error.strerror).removeprefix("tbon.topo: ")) from None


def shape(config: Config, given: Mapping[str, str], *, by_config: bool) -> str:
    """The name of the topology that the session begins with."""
    return settled(config, given).topo or (CONFIG_TOPOLOGY if by_config else PMI_TOPOLOGY)


def tree_by_config(config: Config, text: str) -> Topology:
    """The tree of the hosts of a configuration. OSError(EINVAL) names a cycle of parents."""
    hosts = config.bootstrap
    try:
        return topology(text, hosts.size, hosts.parents())
    except OSError as error:
        raise config.complaint(("bootstrap", "hosts"), error.strerror or "") from None


def describe(tree: Tbon, attributes: AttributeTable, rank: int) -> None:
    """Shows the settings as attributes, as they are in force on this rank."""
    for name in ("tcp_user_timeout", "connect_timeout"):
        attributes.fix(PREFIX + name, exact_fsd(getattr(tree, name)))
    attributes.fix("tbon.child_rcvhwm", str(tree.child_rcvhwm))
    attributes.fix("tbon.zmqdebug", "0")
    attributes.fix("tbon.zmq_io_threads", str(io_threads(tree, rank)))
    attributes.fix("tbon.interface-hint", tree.interface_hint)


def describe_torpid(tree: Tbon, attributes: Attributes) -> None:
    """Shows after which silence a child is torpid, which may change."""
    attributes.set("tbon.torpid_min", exact_fsd(tree.torpid_min), force=True)
    attributes.set("tbon.torpid_max", "0s" if isinf(tree.torpid_max) else exact_fsd(tree.torpid_max), force=True)


def io_threads(tree: Tbon, rank: int) -> int:
    """ZeroMQ's threads: only rank 0, on which all hangs, has more than one."""
    return 1 if rank else tree.zmq_io_threads


def sockets(tree: Tbon, rank: int, ipv6: bool) -> Tuning:
    """The settings for the sockets."""
    return Tuning(tree.connect_timeout, tree.tcp_user_timeout, tree.child_rcvhwm, io_threads(tree, rank), ipv6)


def _number(text: str) -> int | str:
    """What -S says, as a configuration would; what is no number is refused as that."""
    return int(text) if text.removeprefix("-").isascii() and text.removeprefix("-").isdecimal() else text
