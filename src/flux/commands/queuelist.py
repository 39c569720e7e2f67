"""`flux queue list`: queues with their defaults and limits, as the configuration has them."""

import sys
from argparse import Namespace
from math import inf
from typing import Any

from flux.base.duration import parse_fsd
from flux.base.invalid import Invalid
from flux.base.outputformat import OutputFormat
from flux.base.rset import ResourceSet
from flux.commands.complaint import complain
from flux.commands.formats import Named, choose
from flux.commands.parser import Parser
from flux.core.handle import Flux

SIZES = ("nnodes", "ncores", "ngpus")
HEADINGS = {
    "queue": "QUEUE",
    "queuem": "QUEUE",
    "submission": "SUBMIT",
    "scheduling": "SCHED",
    "enabled": "EN",
    "started": "ST",
    "enabled.ascii": "EN",
    "started.ascii": "ST",
    "defaults.timelimit": "TDEFAULT",
    "limits.timelimit": "TLIMIT",
    **{f"limits.range.{kind}": kind.upper() for kind in SIZES},
    **{f"limits.range.effective.{kind}": kind.upper() for kind in SIZES},
    **{f"limits.{way}.{kind}": f"{way.upper()}{kind.upper()}" for way in ("min", "max") for kind in SIZES},
}
RANGES = " ".join(f"{{limits.range.{kind}:>10}}" for kind in SIZES)
EFFECTIVE = RANGES.replace("range.", "range.effective.")
COMMON = "?:{queuem:<8.8} {enabled:>2} {started:>2} {defaults.timelimit!F:>8} {limits.timelimit!F:>8} "
FORMATS = {
    "default": Named(COMMON + EFFECTIVE, "Default flux queue list format"),
    "policy": Named(COMMON + RANGES, "Limits as they are configured, whatever there is"),
}


def add_options(made: Parser) -> None:
    """Adds the options of `flux queue list`."""
    made.add_argument("-n", "--no-header", action="store_true", help="without the line of headings")
    made.add_argument("-o", "--format", metavar="FORMAT", help="a format, or the name of one (help lists them)")
    made.add_argument("-q", "--queue", action="append", metavar="NAME,...", help="only these")


class Row:
    """One queue."""

    def __init__(
        self, name: str, config: dict[str, Any], told: dict[str, Any], marks: tuple[str, str], there: dict[str, int]
    ) -> None:
        self.name, self._told, self._marks, self._there = name, told, marks, there
        self._own = config.get("queues", {}).get(name, {}).get("policy", {})
        self._all = config.get("policy", {})
        self._default = self._all.get("jobspec", {}).get("defaults", {}).get("system", {}).get("queue") == name != ""

    def get(self, field: str) -> Any:
        """A field."""
        match field.removesuffix(".ascii"):
            case "queue":
                return self.name
            case "queuem":
                return self.name + "*" * self._default
            case "submission":
                return "enabled" if self._told["enable"] else "disabled"
            case "scheduling":
                return "started" if self._told["start"] else "stopped"
            case "enabled":
                return self._mark(self._told["enable"], field)
            case "started":
                return self._mark(self._told["start"], field)
            case "defaults.timelimit":
                return self._seconds("jobspec", "defaults", "system", "duration")
            case "limits.timelimit":
                return self._seconds("limits", "duration")
        _, way, *effective, kind = field.split(".")
        if way != "range":
            return self._size(way, kind)
        most = self._size("max", kind)
        if effective:
            most = min(self._there[kind], inf if most == "inf" else most)
        return f"{self._size('min', kind)}-{most}"

    def _mark(self, yes: bool, field: str) -> str:
        marks = ("y", "n") if field.endswith(".ascii") else self._marks
        return marks[0] if yes else marks[1]

    def _found(self, *path: str) -> Any:
        for policy in (self._own, self._all):
            at: Any = policy
            for name in path:
                at = at.get(name) if isinstance(at, dict) else None
            if at is not None:
                return at
        return None

    def _seconds(self, *path: str) -> Any:
        found = self._found(*path)
        seconds = parse_fsd(found) if isinstance(found, str) else found
        return "inf" if not seconds or seconds == inf else seconds

    def _size(self, way: str, kind: str) -> Any:
        found = self._found("limits", "job-size", way, kind)
        if found is None or found == -1:
            return "inf" if way == "max" else 0
        return found


def show(handle: Flux, args: Namespace) -> int:
    """Runs `flux queue list`."""
    config = handle.rpc("config.get", {}).get()
    names = handle.rpc("job-manager.queue-list", {}).get()["queues"] or [""]
    wanted = [name for text in args.queue or () for name in text.split(",")]
    unknown = [name for name in wanted if name not in names]
    if unknown:
        complain("flux-queue", f"no such queue: {', '.join(unknown)}")
        return 1
    marks = ("✔", "✗") if (sys.stdout.encoding or "").lower().startswith("utf") else ("y", "n")
    usable = ResourceSet.parse(handle.rpc("resource.sched-status", {}).get()["all"])
    there = {kind: usable.count(kind[1:-1]) for kind in SIZES}
    rows = []
    for name in wanted or names:
        told = handle.rpc("job-manager.queue-status", {"name": name} if name else {}).get()
        rows.append(Row(name, config, told, marks, there))
    try:
        layout = OutputFormat(choose("flux-queue", args.format, FORMATS, "FLUX_QUEUE_LIST_FORMAT_DEFAULT"), HEADINGS)
    except Invalid as error:
        complain("flux-queue", str(error))
        return 1
    print("\n".join(layout.lines(rows, Row.get, heading=not args.no_header)))
    return 0
