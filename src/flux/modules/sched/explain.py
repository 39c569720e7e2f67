"""What a job lacks, in words. Pure."""

from flux.base.constraint import Constraint
from flux.base.jobspec import Resources
from flux.modules.sched.pool import Pool


def lack(wanted: Resources, pool: Pool, constraint: Constraint | None) -> str:
    """Why a job does not fit into what is free."""
    matching = pool.matching(constraint)
    free = [share for rank, share in pool.free.items() if matching is None or rank in matching]
    cores, gpus = sum(share.cores.bit_count() for share in free), sum(share.gpus.bit_count() for share in free)
    there = [
        _some(len(free), "node"),
        _some(cores, "core"),
        *([_some(gpus, "gpu")] if gpus or wanted.slot.gpus else []),
    ]
    if wanted.slot.memory:
        there.append(f"{max((share.memory for share in free), default=0)} MiB of memory on a node at most")
    met = "" if matching is None else " that meet the constraints"
    return f"unsatisfiable request: {needs(wanted)}, but there are {', '.join(there)}{met}"


def needs(wanted: Resources) -> str:
    """What a job asks for."""
    slot = wanted.slot
    parts = [_some(slot.cores, "core")]
    if slot.gpus:
        parts.append(_some(slot.gpus, "gpu"))
    if slot.memory:
        parts.append(f"{slot.memory} MiB")
    each = " and ".join(parts)
    if wanted.nnodes:
        whole = "whole " if wanted.exclusive else ""
        return f"{wanted.nnodes} {whole}node{'s' * (wanted.nnodes != 1)} with {_some(wanted.nslots, 'slot')} of {each}"
    return f"{_some(wanted.nslots, 'slot')} of {each}"


def _some(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"
