"""How a broker finds the others: endpoints, business cards over PMI, the connection to its parent."""

from collections.abc import Mapping
from typing import NamedTuple

from flux.base.hostlist import Hostlist
from flux.base.taskmap import Taskmap
from flux.broker import defaults
from flux.broker.attributes import AttributeTable
from flux.overlay.card import Card, read_card
from flux.overlay.topology import Kary, topology
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
    if pmi.told:
        attributes.fix("broker.mapping", pmi.get("flux.taskmap") or "")
        return Reach(True, None)
    if _prefers_tcp(attributes.lookup("tbon.prefertcp", "0")):
        return Reach(False, fresh_keys())
    local = _nodes(pmi, attributes) == 1
    return Reach(local, None if local else fresh_keys())


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


def check(size: int, attributes: Mapping[str, str]) -> None:
    """Refuses what no session can be, before brokers are forked for it; OSError says why."""
    for name, value in attributes.items():
        defaults.check(name, value, size)
    check_descriptors(0, topology(attributes.get("tbon.topo", defaults.CHANGEABLE["tbon.topo"]), size))


def check_descriptors(rank: int, tree: Kary) -> None:
    """Refuses more children than files may be open: libzmq ends the process when it cannot accept a connection."""
    system.check_descriptors(FILES + FILES_A_CHILD * len(tree.children(rank)), "a broker with its children")


def listen(wiring: Wiring, where: Reach, rank: int, tree: Kary, rundir: str) -> Endpoint:
    """Binds for the children, if the tree gives this rank any."""
    if not tree.children(rank):
        return Endpoint("", "", where.keys.public.decode() if where.keys else "")
    if where.local:
        return wiring.listen(*_ends(rundir, rank))
    address = f"tcp://{system.address()}:*"
    return wiring.listen(address, address)


def _ends(rundir: str, rank: int) -> tuple[str, str]:
    """Where a broker listens on its own host: for the tree, and for events."""
    return f"ipc://{rundir}/tbon-{rank}", f"ipc://{rundir}/event-{rank}"


def exchange(pmi: Bootstrap, own: Card, tree: Kary, attributes: AttributeTable, local: bool) -> dict[int, Card]:
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
