"""What a node is told of the job that it runs tasks of."""

import msgspec

from flux.base.jobid import JobID
from flux.base.taskmap import Taskmap


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
