"""How a broker finds the others: endpoints, business cards over PMI, the connection to its parent."""

from collections.abc import Callable, Mapping
from errno import EINVAL
from typing import NamedTuple

from flux.base.config import Config
from flux.base.hostlist import Hostlist
from flux.base.taskmap import Taskmap
from flux.broker.attributes import AttributeTable
from flux.broker.bootconfig import ConfigBoot
from flux.broker.tuning import tree_by_config
from flux.overlay.card import Card, read_card
from flux.overlay.topology import Topology, topology
from flux.runtime import system
from flux.runtime.curve import Keys, fresh_keys
from flux.runtime.pmi import Bootstrap
from flux.runtime.wiring import Endpoint, Wiring

FILES, FILES_A_CHILD = 40, 2
"""Open files that a broker needs, with a few clients, and how many more for each child."""


class Reach(NamedTuple):
    """Whether the brokers are on one host, and the keys that they need if not."""

    local: bool
    keys: Keys | None
    bind: Callable[[], tuple[str, str]] | None = None
    """Says where to listen, if that is not below the run directory; OSError if nobody knows."""
    reached: Callable[[], tuple[str, str]] | None = None
    """Says where others find us then, if that is not the same."""


def method(pmi: Bootstrap, config: Config, given: Mapping[str, str]) -> Bootstrap:
    """How this broker finds the others: by configuration if that has a table `bootstrap`, unless -S says otherwise.

    OSError says why this is none of its brokers.
    """
    wanted = given.get("broker.boot-method") or ("config" if config.has("bootstrap") else "")
    if wanted == "single" and pmi.size > 1:
        return Bootstrap({})
    if wanted == "simple" and pmi.fileno() < 0:
        raise OSError(EINVAL, "-S broker.boot-method=simple: there is no PMI")
    if wanted != "config":
        return pmi
    names = [given["hostname"]] if "hostname" in given else [system.full_hostname(), system.hostname()]
    return ConfigBoot(config.bootstrap, names, pmi)


def method_name(pmi: Bootstrap) -> str:
    """What the attribute broker.boot-method says."""
    if isinstance(pmi, ConfigBoot):
        return "config"
    return "single" if pmi.size == 1 and not pmi.name else "simple"


def tree_of(pmi: Bootstrap, config: Config, text: str) -> Topology:
    """The tree that the session begins with. OSError(EINVAL) says why there is none."""
    if not isinstance(pmi, ConfigBoot):
        return topology(text, pmi.size)
    tree = tree_by_config(config, text)
    pmi.check_parent(tree.parent(pmi.rank))
    return tree


def foretold(size: int, attributes: Mapping[str, str]) -> dict[str, str]:
    """What brokers on one host can be told of each other before they are there; nothing if they are to use tcp."""
    if _prefers_tcp(attributes.get("tbon.prefertcp", "0")):
        return {}
    host, rundir = system.hostname(), attributes["rundir"]
    cards = [Card(host, system.fresh_uuid(), *_ends(rundir, rank)) for rank in range(size)]
    pairs = {"flux.taskmap": f"[[0,1,{size},1]]", "flux.instance-level": "0"}
    return pairs | {str(rank): card.text() for rank, card in enumerate(cards)}


def identity(pmi: Bootstrap) -> str:
    """Our uuid: the one that the others have been told, or a fresh one."""
    return read_card(pmi.rank, pmi.get(str(pmi.rank))).uuid if pmi.told else system.fresh_uuid()


def reach(pmi: Bootstrap, attributes: AttributeTable) -> Reach:
    """ipc on one host, tcp with CURVE when PMI says that there are several, or cannot say, or by tbon.prefertcp."""
    if pmi.size == 1:
        return Reach(True, None)
    if isinstance(pmi, ConfigBoot):
        own = pmi
        return Reach(False, own.keys, lambda: own.bind, lambda: own.reached)
    if pmi.told:
        attributes.fix("broker.mapping", pmi.get("flux.taskmap") or "")
        return Reach(True, None)
    if _prefers_tcp(attributes.lookup("tbon.prefertcp", "0")):
        return _by_tcp(attributes)
    return Reach(True, None) if _nodes(pmi, attributes) == 1 else _by_tcp(attributes)


def _by_tcp(attributes: AttributeTable) -> Reach:
    """Any port of the address that other hosts know us by."""
    hint = attributes.lookup("tbon.interface-hint", "default-route")

    def bind() -> tuple[str, str]:
        from flux.runtime.interfaces import address, any_port  # most sessions need none

        end = any_port(address(hint))
        return end, end

    return Reach(False, fresh_keys(), bind)


def _prefers_tcp(setting: str) -> bool:
    return setting not in ("0", "", "false")


def _nodes(pmi: Bootstrap, attributes: AttributeTable) -> int:
    """How many hosts there are by PMI's word, 0 if it does not say."""
    text = pmi.get("flux.taskmap") or pmi.get("PMI_process_mapping") or ""
    try:
        taskmap = Taskmap.decode(text)
    except ValueError:
        return 0
    if not taskmap.unknown:
        attributes.fix("broker.mapping", taskmap.encode())
    return taskmap.nnodes


def check_descriptors(rank: int, tree: Topology) -> None:
    """Refuses more children than files may be open: libzmq ends the process when it cannot accept a connection."""
    system.check_descriptors(FILES + FILES_A_CHILD * len(tree.children(rank)), "a broker with its children")


def listen(wiring: Wiring, where: Reach, rank: int, tree: Topology, rundir: str) -> Endpoint:
    """Binds for the children, if the tree gives this rank any."""
    if not tree.children(rank):
        return Endpoint("", "", where.keys.public.decode() if where.keys else "")
    return open_up(wiring, where, rank, rundir)


def open_up(wiring: Wiring, where: Reach, rank: int, rundir: str) -> Endpoint:
    """Binds for whoever is to come."""
    end = wiring.listen(*(where.bind() if where.bind else _ends(rundir, rank)))
    return Endpoint(*where.reached(), end.pubkey) if where.reached else end


def _ends(rundir: str, rank: int) -> tuple[str, str]:
    """Where a broker listens on its own host: for the tree, and for events."""
    return f"ipc://{rundir}/tbon-{rank}", f"ipc://{rundir}/event-{rank}"


def exchange(pmi: Bootstrap, own: Card, tree: Topology, attributes: AttributeTable, local: bool) -> dict[int, Card]:
    """Publishes our card and reads those of parent and children; all of them when the hosts differ."""
    if not pmi.told:
        pmi.put(str(pmi.rank), own.text())
        pmi.barrier()
    parent = tree.parent(pmi.rank)
    wanted = [parent] if local else [rank for rank in range(pmi.size) if rank != pmi.rank]
    cards = {rank: read_card(rank, pmi.get(str(rank))) for rank in wanted if rank is not None}
    hosts = [own.host if local or rank == pmi.rank else cards[rank].host for rank in range(pmi.size)]
    attributes.fix("hostlist", ",".join(hosts) if local else str(Hostlist(hosts)))
    return cards
