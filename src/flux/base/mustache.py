"""Names with {{tags}} in them, such as those of output files (flux-run(1), "mustache templates")."""

from collections.abc import Callable, Mapping

from flux.base.jobid import JobID


def render(text: str, tags: Mapping[str, str], unknown: Callable[[str], None]) -> str:
    """Replaces the tags. One that is not known stays as it is, and is told."""
    done: list[str] = []
    while "{{" in text:
        before, _, rest = text.partition("{{")
        tag, closed, after = rest.partition("}}")
        if not closed:
            break
        if tag not in tags:
            unknown(tag)
        done += before, tags.get(tag, "{{" + tag + "}}")
        text = after
    return "".join(done) + text


def job_tags(id: int, name: str, nnodes: int, ntasks: int) -> dict[str, str]:
    """The tags that are the same for a whole job."""
    job = JobID(id)
    tags = {"name": name, "nnodes": str(nnodes), "size": str(ntasks), "ntasks": str(ntasks)}
    for word in ("id", "jobid"):
        tags[word] = job.f58
        tags |= {f"{word}.{form}": job.encode(form) for form in ("f58", "f58plain", "dec", "hex", "dothex")}
    return tags


def task_tags(task: int, local: int, node: int, rank: int) -> dict[str, str]:
    """Those that differ from task to task: its number, that on its node, the node's in the job, the broker's rank."""
    return {
        "taskid": str(task),
        "task.id": str(task),
        "task.rank": str(task),
        "task.index": str(local),
        "task.localid": str(local),
        "node.id": str(node),
        "node.broker_rank": str(rank),
    }
