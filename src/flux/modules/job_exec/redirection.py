"""Output that goes to files instead of the key-value store (`--output`, `--error`): what goes to which. Pure."""

from collections.abc import Mapping
from typing import Any

from flux.base.mustache import job_tags, render

STREAMS = ("stdout", "stderr")


class Redirection:
    """That of one job."""

    def __init__(self, options: Mapping[str, Any], id: int, name: str, cwd: str, nnodes: int, ntasks: int) -> None:
        self._tags = job_tags(id, name, nnodes, ntasks)
        self._cwd = cwd
        output = options.get("output") or {}
        self._wanted = {stream: output.get(stream) or {} for stream in STREAMS}
        if "path" in self._wanted["stdout"] and not self._wanted["stderr"].get("path"):
            self._wanted["stderr"] = {**self._wanted["stdout"], **self._wanted["stderr"]}
        self.paths: set[str] = set()
        """The files that something was written to."""
        self._halves: dict[tuple[str, str], bytes] = {}

    def redirects(self, stream: str) -> bool:
        """Whether a stream goes to a file."""
        return self._wanted[stream].get("type") == "file" and bool(self._wanted[stream].get("path"))

    def common(self, stream: str) -> str | None:
        """The file of all tasks; None if each has its own."""
        paths = {self.path(stream, task) for task in ("0", "1")}
        return paths.pop() if len(paths) == 1 else None

    def path(self, stream: str, task: str) -> str:
        """The file of one task."""
        own = {"taskid": task, "task.id": task, "task.rank": task}
        text = render(str(self._wanted[stream]["path"]), {**self._tags, **own}, lambda tag: None)
        return text if text.startswith("/") else f"{self._cwd}/{text}"

    def take(self, stream: str, task: str, data: bytes, *, end: bool) -> tuple[str, bytes]:
        """Where a piece goes, and as what: with labels, each line begins with its task's number."""
        path = self.path(stream, task)
        self.paths.add(path)
        if not self._wanted[stream].get("label"):
            return path, data
        lines = (self._halves.pop((stream, task), b"") + data).splitlines(keepends=True)
        if lines and not lines[-1].endswith(b"\n"):
            if end:
                lines[-1] += b"\n"
            else:
                self._halves[stream, task] = lines.pop()
        return path, b"".join(b"%s: %s" % (task.encode(), line) for line in lines)
