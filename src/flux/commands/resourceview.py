"""What `flux resource` shows: resources by what can be done with them, nodes by what is to be said of them."""

import sys
from argparse import Namespace
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from flux.base.hostlist import Hostlist
from flux.base.idset import IDset
from flux.base.invalid import Invalid
from flux.base.outputformat import OutputFormat
from flux.base.rset import ResourceSet
from flux.commands.complaint import complain
from flux.commands.formats import Named, choose
from flux.core.handle import Flux

LIST = {
    "default": Named(
        "{state:>10} ?+:{queue:<5} ?:{propertiesx:<10.10+} {nnodes:>6} +:{ncores:>6} ?+:{ngpus:>5} {nodelist}",
        "Default flux-resource list format",
    ),
    "rlist": Named(
        "{state:>10} ?+:{queue:<5} ?:{propertiesx:<10.10+} {nnodes:>6} +:{ncores:>6} {ngpus:>8} {rlist}",
        "Format including resource list details",
    ),
}
STATUS = {
    "default": Named(
        "{state:>12} {color_up}{up:>2}{color_off} {nnodes:>6} {nodelist}", "Default flux-resource status format"
    ),
    "long": Named(
        "{state:>12} {color_up}{up:>2}{color_off} {nnodes:>6} +:{ranks:<15} +:{nodelist:<15} {reason}",
        "Long flux-resource status format",
    ),
}
DRAINED = {
    "default": Named(
        "{timestamp!d:%b%d %R::<12} {state:<8.8} {reason:<30.30+} {nodelist}", "Default flux-resource drain format"
    ),
    "long": Named(
        "{timestamp!d:%b%d %R::<12} {state:<8.8} {ranks:<8.8+} {reason:<30.30+} {nodelist}",
        "Long flux-resource drain format",
    ),
}
HEADINGS = {
    **{name: name.upper() for name in ("state", "queue", "properties", "nnodes", "ncores", "ngpus", "nodelist")},
    "propertiesx": "PROPERTIES",
    "ranks": "RANKS",
    "rlist": "LIST",
    "up": "UP",
    "status": "STATUS",
    "reason": "REASON",
    "timestamp": "TIME",
    "color_up": "",
    "color_off": "",
    "up.ascii": "UP",
}
RESOURCE_STATES = ("up", "down", "allocated", "free", "all")
STATES = ("avail", "exclude", "draining", "drained", "torpid", "allocated")
NODE_STATES = ("avail", "exclude", "drain", "draining", "drained", "torpid", "allocated", "offline", "online", "all")


class Sets:
    """The instance's resources, by state."""

    def __init__(self, handle: Flux, include: str | None = None) -> None:
        told = handle.rpc("resource.sched-status", {}, nodeid=0).get()
        self._sets = {key: ResourceSet.parse(told[key]) for key in ("all", "down", "allocated")}
        if include:
            ranks = targets(include, self._sets["all"])
            self._sets = {key: some.restricted(ranks) for key, some in self._sets.items()}

    def of(self, states: Iterable[str]) -> ResourceSet:
        """What is in any of some states."""
        found = ResourceSet()
        for state in states:
            found = found.union(self.one(state))
        return replace(found, starttime=0.0, expiration=self._sets["all"].expiration)

    def one(self, state: str) -> ResourceSet:
        """What is in a state. Invalid for one that there is not."""
        everything, down, allocated = self._sets.values()
        match state:
            case "all":
                return everything
            case "down":
                return down
            case "allocated":
                return self._named(allocated)
            case "up":
                return everything.difference(down)
            case "free":
                return everything.difference(down).difference(allocated)
        raise Invalid(f"Invalid resource state {state} specified (known: {', '.join(RESOURCE_STATES)})")

    def _named(self, allocated: ResourceSet) -> ResourceSet:
        """With the properties of the nodes, which R of jobs may lack."""
        everything = self._sets["all"]
        having = {name: some & allocated.ranks.keys() for name, some in everything.properties.items()}
        return replace(allocated, properties={name: some for name, some in having.items() if some})


def targets(text: str, resources: ResourceSet) -> IDset:
    """Ranks, or the ranks of hosts. Invalid names what is not there."""
    if set(text) <= set("0123456789,-[]"):
        return IDset(text)
    wanted = Hostlist(text)
    known = set(resources.hosts.values())
    missing = [host for host in wanted if host not in known]
    if missing:
        raise Invalid(f"no such host: {Hostlist(missing).encode()}")
    hosts = set(wanted)
    return IDset([rank for rank, host in resources.hosts.items() if host in hosts])


# -- flux resource list ---------------------------------------------------------------------------------------------


class Line(dict[str, Any]):
    """One line of a listing, by field."""

    def get_field(self, name: str) -> Any:
        """A field."""
        return self[name.removesuffix(".ascii")]


def show_list(handle: Flux, args: Namespace) -> int:
    """Runs `flux resource list`."""
    states = (args.states or "free,allocated,down").split(",")
    config = handle.rpc("config.get", {}).get().get("queues", {})
    try:
        sets = Sets(handle, args.include)
        layout = OutputFormat(choose("flux-resource", args.format, LIST, "FLUX_RESOURCE_LIST_FORMAT_DEFAULT"), HEADINGS)
        queues = _queues(config, args.queue)
        lines = [line for state in states for line in _lines(state, sets.one(state), queues)]
    except Invalid as error:
        complain("flux-resource", str(error))
        return 1
    print("\n".join(layout.lines(lines, Line.get_field, heading=not args.no_header)))
    return 0


def _queues(config: dict[str, Any], only: str | None) -> dict[str, set[str]]:
    """What each queue requires."""
    found = {name: set(table.get("requires", ())) for name, table in config.items()}
    if only is None:
        return found
    if only not in found:
        raise Invalid(f"queue {only} not found")
    return {only: found[only]}


def _lines(state: str, some: ResourceSet, queues: dict[str, set[str]]) -> list[Line]:
    """One for each kind of nodes, by queue and properties."""
    kinds: dict[tuple[str, str], list[int]] = {}
    required = {name for wanted in queues.values() for name in wanted}
    for rank in some.ranks:
        having = {name for name, ranks in some.properties.items() if rank in ranks}
        of = [name for name, wanted in queues.items() if wanted <= having]
        kinds.setdefault((",".join(sorted(of)), ",".join(sorted(having - required))), []).append(rank)
    if not kinds:
        return [_line(state, "", "", ResourceSet())]
    return [_line(state, queue, names, some.restricted(ranks)) for (queue, names), ranks in kinds.items()]


def _line(state: str, queue: str, properties: str, some: ResourceSet) -> Line:
    return Line(
        state=state,
        queue=queue,
        properties=",".join(sorted(some.properties)),
        propertiesx=properties,
        nnodes=len(some),
        ncores=some.count("core"),
        ngpus=some.count("gpu"),
        nodelist=some.nodelist,
        ranks=some.ids.encode(),
        rlist=str(some),
    )


def show_info(handle: Flux, args: Namespace) -> int:
    """Runs `flux resource info`."""
    try:
        some = Sets(handle, args.include).of(args.states.split(","))
    except Invalid as error:
        complain("flux-resource", str(error))
        return 1
    kinds = (("node", "Node"), ("core", "Core"), ("gpu", "GPU"))
    print(", ".join(f"{some.count(kind)} {name}{'s' * (some.count(kind) != 1)}" for kind, name in kinds))
    return 0


# -- flux resource status, drain ------------------------------------------------------------------------------------


class Nodes:
    """What resource.status and the job manager say of nodes."""

    def __init__(self, handle: Flux, include: str | None = None) -> None:
        told = handle.rpc("resource.status", {}, nodeid=0).get()
        self._resources = ResourceSet.parse(told["R"])
        allocated = Sets(handle).one("allocated")
        only = targets(include, self._resources) if include else self._resources.ids
        self._only = set(only)
        self._ids = {key: self._known(told[key]) for key in ("online", "offline", "exclude", "torpid")}
        self._ids["allocated"] = self._known(allocated.ids.encode())
        self.drains = [(self._known(text), about) for text, about in told["drain"].items()]

    def _known(self, text: str) -> list[int]:
        return [rank for rank in IDset(text) if rank in self._only]

    def lines(self) -> list[Line]:
        """By state; what is offline is marked by *."""
        drained = {rank for ranks, _ in self.drains for rank in ranks}
        excluded, allocated = set(self._ids["exclude"]), set(self._ids["allocated"])
        found: dict[tuple[str, str, float], list[int]] = {("avail", "", 0.0): []}
        for rank in self._resources.ranks:
            if rank not in self._only or rank in drained:
                continue
            self._put(found, "exclude" if rank in excluded else "avail", rank)
        for ranks, about in self.drains:
            for rank in ranks:
                state = "draining" if rank in allocated else "drained"
                self._put(found, state, rank, about["reason"], about["timestamp"])
        for state in ("torpid", "allocated"):
            for rank in self._ids[state]:
                found.setdefault((state, "", 0.0), []).append(rank)
        lines = [self._line(*key, ranks) for key, ranks in found.items() if ranks or len(found) == 1]
        return sorted(lines, key=lambda line: STATES.index(line["state"].removesuffix("*")))

    def _put(self, found: Any, state: str, rank: int, reason: str = "", since: float = 0.0) -> None:
        star = "" if rank in self._ids["online"] else "*"
        found.setdefault((state + star, reason, since), []).append(rank)

    def _line(self, state: str, reason: str, since: float, ranks: list[int]) -> Line:
        up = not state.endswith("*")
        unicode = (sys.stdout.encoding or "").lower().startswith("utf")
        mark = ("✔" if up else "✗") if unicode else ("y" if up else "n")
        coloured = sys.stdout.isatty()
        hosts = self._resources.hosts
        return Line(
            state=state,
            up=mark,
            color_up=("\033[01;32m" if up else "\033[01;31m") if coloured else "",
            color_off="\033[0;0m" if coloured else "",
            nnodes=len(ranks),
            nodelist=Hostlist(hosts[rank] for rank in ranks if rank in hosts).encode(),
            ranks=IDset(ranks).encode(),
            reason=reason,
            timestamp=since,
            status="online" if up else "offline",
        )


def show_status(handle: Flux, args: Namespace) -> int:
    """Runs `flux resource status`."""
    try:
        text = choose("flux-resource", args.format, STATUS, "FLUX_RESOURCE_STATUS_FORMAT_DEFAULT")
        layout = OutputFormat(text, HEADINGS)
        wanted = _wanted(args.states)
        lines = [line for line in Nodes(handle, args.include).lines() if _chosen(line, wanted)]
    except Invalid as error:
        complain("flux-resource", str(error))
        return 1
    if args.skip_empty:
        lines = [line for line in lines if line["nnodes"]]
    print("\n".join(layout.lines(lines, Line.get_field, heading=not args.no_header)))
    return 0


def _wanted(text: str | None) -> set[str]:
    if text is None:
        return {"avail", "exclude", "draining", "drained", "torpid"}
    wanted = set(text.lower().split(","))
    unknown = wanted - set(NODE_STATES)
    if unknown:
        raise Invalid(f"Invalid resource state {min(unknown)} specified (known: {', '.join(NODE_STATES)})")
    if "all" in wanted:
        return set(NODE_STATES)
    return wanted | ({"draining", "drained"} if "drain" in wanted else set())


def _chosen(line: Line, wanted: set[str]) -> bool:
    state = line["state"].removesuffix("*")
    return state in wanted or line["status"] in wanted


def show_drained(handle: Flux, args: Namespace) -> int:
    """Runs `flux resource drain` without targets."""
    try:
        text = choose("flux-resource", args.format, DRAINED, "FLUX_RESOURCE_DRAIN_FORMAT_DEFAULT")
        layout = OutputFormat(text, HEADINGS)
    except Invalid as error:
        complain("flux-resource", str(error))
        return 1
    lines = [line for line in Nodes(handle).lines() if line["state"].startswith("drain")]
    print("\n".join(layout.lines(lines, Line.get_field, heading=not args.no_header)))
    return 0
