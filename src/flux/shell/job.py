"""What a node is told of the job that it runs tasks of."""

from typing import Any

import msgspec

from flux.base.jobid import JobID
from flux.base.taskmap import Taskmap
from flux.shell.binding import OFF


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What its tasks have besides a command, an environment and a directory."""

    name: str = ""
    input: str = ""
    """The file that each of them reads, on its own node; else they read what the client writes."""
    limits: dict[str, int] = {}
    """Soft limits by getrlimit(2) name in lower case; -1 is none."""
    cores: list[str] = []
    gpus: list[str] = []
    """Of each node (RFC 22)."""
    cpu_affinity: str = OFF
    gpu_affinity: str = OFF
    files: dict[str, dict[str, Any]] = {}
    """By path below the job's temporary directory (RFC 37)."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One job, as one of its nodes sees it."""

    id: int
    node: int
    """Which of the job's nodes this is."""
    ranks: list[int]
    """The broker rank of each node."""
    leader: int
    """The broker rank that asked."""
    taskmap: list[list[int]]
    command: list[str]
    environment: dict[str, str]
    cwd: str = ""
    unbuffered: bool = False
    """Whether stdout comes as it is written, not line by line."""
    window: int = 1 << 20
    """Bytes of output that may be under way to the client."""
    options: Options = Options()

    @property
    def name(self) -> JobID:
        """The id with its texts."""
        return JobID(self.id)

    @property
    def nnodes(self) -> int:
        """The number of nodes."""
        return len(self.ranks)

    def map(self) -> Taskmap:
        """Which task runs where."""
        return Taskmap.from_json(self.taskmap)

    @property
    def cores(self) -> str:
        """The cores that it has on this node."""
        return self.options.cores[self.node] if self.options.cores else ""

    @property
    def gpus(self) -> str:
        """The GPUs that it has on this node."""
        return self.options.gpus[self.node] if self.options.gpus else ""
