"""From what brokers find, or a configuration says, to the instance's resource set. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from flux.base import mask
from flux.base.config.table import Table
from flux.base.hostlist import Hostlist
from flux.base.idset import IDset
from flux.base.rset import ResourceSet, Share

Report = Mapping[str, list[Any]]
"""By rank: host, cores, GPUs, MiB of memory."""


def merged(reports: Iterable[Report]) -> dict[str, list[Any]]:
    """Reports of several brokers together."""
    return {rank: told for report in reports for rank, told in report.items()}


def found(report: Report) -> ResourceSet:
    """What the brokers have found on their machines."""
    told = {int(rank): words for rank, words in report.items()}
    ranks = {rank: Share(mask.parse(told[rank][1]), mask.parse(told[rank][2]), told[rank][3]) for rank in sorted(told)}
    return ResourceSet(ranks, {rank: told[rank][0] for rank in ranks})


def configured(table: Table, size: int, hosts: Mapping[int, str]) -> ResourceSet:
    """`[resource] config`: an array of tables of hosts, cores, gpus, properties. Ranks are by the order of hosts."""
    names = [hosts.get(rank, "") for rank in range(size)]
    cores, gpus, memory = dict[str, int](), dict[str, int](), dict[str, int]()
    order: list[str] = []
    properties: dict[str, set[str]] = {}
    for entry in table.tables("config"):
        text = entry.text("hosts")
        try:
            named = list(Hostlist(text))
        except ValueError as error:
            entry.refuse("hosts", str(error))
        if not named:
            entry.refuse("hosts", "names no host")
        for kind, into in (("cores", cores), ("gpus", gpus)):
            bits = _bits(entry, kind)
            into |= {host: into.get(host, 0) | bits for host in named}
        memory |= dict.fromkeys(named, entry.number("memory", 0, 0))
        for name in entry.texts("properties"):
            properties.setdefault(name, set()).update(named)
        entry.end()
        order += [host for host in named if host not in order]
    if len(order) != size and set(names) - set(order):
        missing = sorted(set(names) - set(order))
        table.refuse("config", f"{', '.join(missing[:5])} {'is' if len(missing) == 1 else 'are'} not in it")
    placed = _placed(order, names)
    ranks = {rank: Share(cores[host], gpus[host], memory[host]) for rank, host in placed.items()}
    having = {name: frozenset(rank for rank in placed if placed[rank] in some) for name, some in properties.items()}
    return ResourceSet(ranks, placed, having)


def _placed(order: list[str], names: list[str]) -> dict[int, str]:
    """Which host each rank is on: as the brokers say, if the configuration knows them, else in its order."""
    if set(names) <= set(order):
        return dict(enumerate(names))
    return dict(enumerate(order[: len(names)]))


def _bits(entry: Table, kind: str) -> int:
    text = entry.text(kind)
    try:
        return mask.parse(text)
    except ValueError as error:
        entry.refuse(kind, str(error))


def faked(table: Table, size: int) -> ResourceSet | None:
    """`[fake-resources]`: so many nodes of so many cores, with whatever brokers there are; None without the table."""
    nnodes = table.number("nnodes", 0, 0)
    cores = table.number("cores-per-node", 64, 1)
    gpus = table.number("gpus-per-node", 0, 0)
    prefix = table.text("host-prefix", "fake")
    for unread in ("hwloc-xml-path", "amend-r"):
        if table.text(unread):
            table.refuse(unread, "is not supported")
    table.end()
    if not nnodes:
        return None
    share = Share((1 << cores) - 1, (1 << gpus) - 1)
    return ResourceSet(dict.fromkeys(range(nnodes), share), {rank: f"{prefix}{rank}" for rank in range(nnodes)})


def with_properties(resources: ResourceSet, properties: Mapping[str, frozenset[int]]) -> ResourceSet:
    """The same resources with other properties."""
    return replace(resources, properties=dict(properties))


def targets(text: str, resources: ResourceSet) -> IDset:
    """The ranks that somebody means, by ranks or by hosts. ValueError names what is not there."""
    if text.replace("-", "").replace(",", "").replace("[", "").replace("]", "").isdecimal():
        ranks = IDset(text)
        if not ranks or ranks.last() not in resources.ranks:
            raise ValueError(f"idset is out of range: {text}")
        return ranks
    hosts = list(Hostlist(text))
    known: dict[str, list[int]] = {}
    for rank, host in resources.hosts.items():
        known.setdefault(host, []).append(rank)
    missing = [host for host in hosts if host not in known]
    if missing or not hosts:
        raise ValueError(f"invalid targets: {Hostlist(missing).encode() or text}")
    return IDset([rank for host in hosts for rank in known[host]])
