"""Limits on jobs: `policy.limits`, of the instance and of each queue (RFC 33). Pure."""

from collections.abc import Mapping
from typing import Any

from flux.base.duration import fsd, parse_fsd
from flux.base.invalid import Invalid
from flux.base.jobspec import Jobspec


def check(spec: Jobspec, config: Mapping[str, Any]) -> None:
    """Refuses a job that is beyond a limit. Raises Invalid, which names it."""
    of_all = config.get("policy", {}).get("limits", {})
    queue = config.get("queues", {}).get(spec.queue, {}).get("policy", {}).get("limits", {}) if spec.queue else {}
    _duration(spec, queue.get("duration", of_all.get("duration")))
    for way in ("max", "min"):
        wide = of_all.get("job-size", {}).get(way, {})
        narrow = queue.get("job-size", {}).get(way, {})
        for kind in ("nnodes", "ncores", "ngpus"):
            limit = narrow.get(kind, wide.get(kind, -1))
            _size(kind, way, _count(spec, kind), limit)


def _duration(spec: Jobspec, limit: Any) -> None:
    if limit is None:
        return
    most = parse_fsd(limit) if isinstance(limit, str) else float(limit)
    if not most:
        return
    if not spec.duration:
        raise Invalid(
            f"requested duration exceeds policy limit of {fsd(most)}: a job without a time limit is unlimited"
        )
    if spec.duration > most:
        raise Invalid(f"requested duration exceeds policy limit of {fsd(most)}")


def _count(spec: Jobspec, kind: str) -> int:
    wanted = spec.resources
    if kind == "nnodes":
        return wanted.nnodes
    return wanted.total_slots * (wanted.slot.cores if kind == "ncores" else wanted.slot.gpus)


def _size(kind: str, way: str, count: int, limit: int) -> None:
    if limit < 0 or (kind == "nnodes" and not count):
        return
    if way == "max" and count > limit:
        raise Invalid(f"requested {kind} {count} exceeds policy limit of {limit}")
    if way == "min" and count < limit:
        raise Invalid(f"requested {kind} {count} is under policy limit of {limit}")
