"""Which CPUs and GPUs each task of a node may use (flux-shell(1), cpu-affinity and gpu-affinity). Pure."""

from collections.abc import Sequence

from flux.base.idset import IDset
from flux.base.invalid import Invalid

Cores = Sequence[Sequence[int]]
"""The logical CPUs of each core of a machine."""
OFF, ON, PER_TASK, MAP = "off", "on", "per-task", "map:"


def checked(what: str, option: object) -> str:
    """The option, as text. Raises Invalid."""
    text = {0: OFF, 1: ON}.get(option, option) if isinstance(option, int) else option
    if text not in (OFF, ON, PER_TASK):
        if not isinstance(text, str) or not text.startswith(MAP):
            raise Invalid(f"{what}: {option!r:.40} is none of off, on, per-task, map:LIST")
        _listed(what, text)
    return str(text)


def cpus(option: str, cores: str, machine: Cores, ntasks: int) -> list[tuple[int, ...]]:
    """The CPUs of each task, () for all. Nothing is bound to cores that a machine does not have."""
    everything: list[tuple[int, ...]] = [()] * ntasks
    if option.startswith(MAP):
        return _mapped("cpu-affinity", option, ntasks)
    own = list(IDset(cores))
    if option == OFF or not own or own[-1] >= len(machine):
        return everything
    parts = _parts(own, ntasks) if option == PER_TASK else [own] * ntasks
    return [tuple(sorted(cpu for core in part for cpu in machine[core])) for part in parts]


def gpus(option: str, own: str, ntasks: int) -> list[str]:
    """What CUDA_VISIBLE_DEVICES is to each task, "" to leave it as it is; -1 if it has none, and is to see none."""
    if option == OFF:
        return [""] * ntasks
    if option.startswith(MAP):
        return [",".join(map(str, part)) for part in _mapped("gpu-affinity", option, ntasks)]
    ids = list(IDset(own))
    if not ids:
        return ["-1"] * ntasks
    parts = _parts(ids, ntasks) if option == PER_TASK else [ids] * ntasks
    return [",".join(map(str, part)) for part in parts]


def _parts(own: list[int], ntasks: int) -> list[list[int]]:
    """Even parts in order. If there are more tasks, some share one."""
    if ntasks >= len(own):
        return [[own[task * len(own) // ntasks]] for task in range(ntasks)]
    return [own[task * len(own) // ntasks : (task + 1) * len(own) // ntasks] for task in range(ntasks)]


def _mapped(what: str, option: str, ntasks: int) -> list[tuple[int, ...]]:
    """The list is begun anew if there are more tasks."""
    listed = _listed(what, option)
    return [listed[task % len(listed)] for task in range(ntasks)]


def _listed(what: str, option: str) -> list[tuple[int, ...]]:
    found = [_ids(what, text) for text in option.removeprefix(MAP).split(";") if text]
    if not found:
        raise Invalid(f"{what}: {option}: no ids")
    return found


def _ids(what: str, text: str) -> tuple[int, ...]:
    try:
        if text.startswith("0x"):
            mask = int(text, 16)
            return tuple(number for number in range(mask.bit_length()) if mask >> number & 1)
        return tuple(IDset(text))
    except ValueError:
        raise Invalid(f"{what}: '{text}' is neither a list of ids nor a mask") from None
