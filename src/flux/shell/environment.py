"""The environment of a task: what its user gave, less what told others how to start, and what the job adds."""

from collections.abc import Mapping

from flux.shell.binding import gpus
from flux.shell.job import Job
from flux.shell.place import Place

REMOVED = ("FLUX_PROXY_REMOTE", "FLUX_KVS_NAMESPACE", "FLUX_PMI_LIBRARY_PATH", "I_MPI_PMI_LIBRARY")
REMOVED_PREFIXES = ("PMI_", "PMIX_")


def node_environment(job: Job, place: Place) -> dict[str, str]:
    """What all tasks of one node have in common."""
    env = {name: value for name, value in job.environment.items() if _kept(name)}
    tasks = job.map()
    env |= {
        "FLUX_JOB_ID": job.name.f58,
        "FLUX_JOB_ID_PATH": f"{place.path.rstrip('/')}/{job.name.f58}",
        "FLUX_JOB_SIZE": str(tasks.ntasks),
        "FLUX_JOB_NNODES": str(job.nnodes),
        "FLUX_NODE_ID": str(job.node),
        "FLUX_LOCAL_RANKS": ",".join(map(str, tasks.taskids(job.node))),
        "FLUX_URI": place.uri,
        "PMI_SIZE": str(tasks.ntasks),
    }
    env.pop("FLUX_JOB_TMPDIR", None)
    if place.tmpdir:
        env["FLUX_JOB_TMPDIR"] = place.tmpdir
    if "HOSTNAME" in env:  # that of who asked, which is not to be found here
        env["HOSTNAME"] = place.hostname
    return env


def visible_gpus(job: Job, ntasks: int) -> list[dict[str, str]]:
    """What tells each of a node's tasks which GPUs are its own (flux-shell(1), gpu-affinity)."""
    told = gpus(job.options.gpu_affinity, job.gpus, ntasks)
    return [{"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": ids} if ids else {} for ids in told]


def task_environment(node: Mapping[str, str], task: int, local: int) -> dict[str, str]:
    """What one task has besides; `local` is its number on its node."""
    return {
        **node,
        "FLUX_TASK_RANK": str(task),
        "FLUX_TASK_LOCAL_ID": str(local),
        "PMI_RANK": str(task),
    }


def _kept(name: str) -> bool:
    return name not in REMOVED and not name.startswith(REMOVED_PREFIXES)
