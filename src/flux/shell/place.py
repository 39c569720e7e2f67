"""Where a job's tasks are on one node."""

from typing import NamedTuple


class Place(NamedTuple):
    """What the node gives to its tasks."""

    uri: str
    """That of its broker."""
    tmpdir: str = ""
    hostname: str = ""
    level: int = 1
    """Of an instance inside the job."""
    cores: tuple[tuple[int, ...], ...] = ()
    """The logical CPUs of each of its cores."""
    path: str = "/"
    """The ids of the jobs that this instance runs in, outermost first."""
