"""Jobspecs to be submitted (RFC 14, 25), under the names that flux-core's Python package has."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

from flux.base import shape


class Jobspec:
    """A jobspec as an object: what it asks for, what it runs, its attributes."""

    def __init__(self, resources: list[Any], tasks: list[Any], attributes: dict[str, Any], version: int = 1) -> None:
        self.jobspec = {"resources": resources, "tasks": tasks, "attributes": attributes, "version": version}

    def dumps(self, **options: Any) -> str:
        """As JSON."""
        return json.dumps(self.jobspec, **options)

    # -- attributes -------------------------------------------------------------------------------------------------

    @property
    def resources(self) -> Any:
        """What it asks for."""
        return self.jobspec["resources"]

    @property
    def tasks(self) -> Any:
        """What it runs."""
        return self.jobspec["tasks"]

    @property
    def attributes(self) -> Any:
        """All else."""
        return self.jobspec["attributes"]

    @property
    def version(self) -> Any:
        """1."""
        return self.jobspec["version"]

    def getattr(self, key: str) -> Any:
        """An attribute by its path, below `system` unless it says otherwise. KeyError if it is not there."""
        at: Any = self.jobspec
        for name in _path(key):
            at = at[name]
        return at

    def setattr(self, key: str, value: Any) -> None:
        """Sets an attribute."""
        *way, last = _path(key)
        at: Any = self.jobspec
        for name in way:
            at = at.setdefault(name, {})
        at[last] = value

    def setattr_shell_option(self, key: str, value: Any) -> None:
        """Sets an option of the job shell."""
        self.setattr(f"system.shell.options.{key}", value)

    @property
    def duration(self) -> Any:
        """The time limit in seconds; 0 is none."""
        return self.getattr("system.duration")

    @duration.setter
    def duration(self, value: Any) -> None:
        from flux.base.duration import parse_fsd

        self.setattr("system.duration", parse_fsd(value) if isinstance(value, str) else float(value))

    @property
    def queue(self) -> Any:
        """The queue, None for the default."""
        return self._found("system.queue")

    @queue.setter
    def queue(self, value: str) -> None:
        self.setattr("system.queue", value)

    @property
    def cwd(self) -> Any:
        """Where its tasks run."""
        return self._found("system.cwd")

    @cwd.setter
    def cwd(self, value: Any) -> None:
        self.setattr("system.cwd", str(value))

    @property
    def environment(self) -> Any:
        """The environment of its tasks."""
        return self._found("system.environment")

    @environment.setter
    def environment(self, value: Mapping[str, str]) -> None:
        self.setattr("system.environment", dict(value))

    def _stream(self, name: str) -> Any:
        return self._found(f"system.shell.options.{name}.path")

    def _redirect(self, name: str, path: str) -> None:
        self.setattr_shell_option(name, {"type": "file", "path": str(path)})

    @property
    def stdin(self) -> Any:
        """The file that its tasks read."""
        return self._stream("input.stdin")

    @stdin.setter
    def stdin(self, path: str) -> None:
        self._redirect("input.stdin", path)

    @property
    def stdout(self) -> Any:
        """The file that stdout goes to."""
        return self._stream("output.stdout")

    @stdout.setter
    def stdout(self, path: str) -> None:
        self._redirect("output.stdout", path)

    @property
    def stderr(self) -> Any:
        """The file that stderr goes to."""
        return self._stream("output.stderr")

    @stderr.setter
    def stderr(self, path: str) -> None:
        self._redirect("output.stderr", path)

    input, output, error = stdin, stdout, stderr

    def _found(self, key: str) -> Any:
        try:
            return self.getattr(key)
        except KeyError:
            return None

    # -- resources --------------------------------------------------------------------------------------------------

    def resource_walk(self) -> Iterator[tuple[Any, Any, int]]:
        """Yields (parent, vertex, count in all)."""

        def walk(parent: Any, vertices: Any, times: int) -> Iterator[tuple[Any, Any, int]]:
            for vertex in vertices:
                count = times * vertex["count"]
                yield parent, vertex, count
                yield from walk(vertex, vertex.get("with", ()), count)

        return walk(None, self.resources, 1)

    def resource_counts(self) -> dict[str, int]:
        """How many there are of each type in all."""
        counts: dict[str, int] = {}
        for _, vertex, count in self.resource_walk():
            counts[vertex["type"]] = counts.get(vertex["type"], 0) + count
        return counts


class JobspecV1(Jobspec):
    """Version 1 (RFC 25)."""

    def __init__(self, resources: list[Any], tasks: list[Any], **more: Any) -> None:
        attributes = more.pop("attributes", None) or {"system": {"duration": 0}}
        version = more.pop("version", 1)
        if version != 1:
            raise ValueError("version must be 1")
        super().__init__(resources, tasks, attributes, version)

    @classmethod
    def from_command(
        cls,
        command: Sequence[str],
        num_tasks: int | None = 1,
        cores_per_task: int = 1,
        gpus_per_task: int | None = None,
        num_nodes: int | None = None,
        exclusive: bool = False,
        **attributes: Any,
    ) -> Self:
        """So many tasks of a command, with so much each. ValueError for what cannot be."""
        made = shape.of_tasks(num_tasks, num_nodes, cores_per_task, gpus_per_task or 0, exclusive=exclusive)
        return cls._of(command, *made, attributes)

    @classmethod
    def per_resource(
        cls,
        command: Sequence[str],
        ncores: int | None = None,
        nnodes: int | None = None,
        per_resource_type: str | None = None,
        per_resource_count: int | None = None,
        gpus_per_node: int | None = None,
        exclusive: bool = False,
        **attributes: Any,
    ) -> Self:
        """So many cores or nodes in all, and tasks on each of them. ValueError for what cannot be."""
        vertices = shape.of_resources(ncores, nnodes, gpus_per_node or 0, exclusive=exclusive)
        made = cls._of(command, vertices, {"per_slot": 1}, attributes)
        if per_resource_type is not None:
            option = {"type": per_resource_type, "count": per_resource_count or 1}
            made.setattr_shell_option("per-resource", option)
        return made

    @classmethod
    def _of(cls, command: Sequence[str], vertices: list[Any], count: dict[str, int], attributes: Any) -> Self:
        if not command or isinstance(command, str | bytes):
            raise TypeError("command must be a sequence of strings")
        made = cls(vertices, [{"command": list(command), "slot": shape.LABEL, "count": count}])
        for name, value in attributes.items():
            if value is not None:
                setattr(made, name, value)
        return made


def _path(key: str) -> list[str]:
    """From the top of the jobspec."""
    names = key.split(".")
    if names[0] == "attributes":
        return names
    return ["attributes", *names] if names[0] in ("system", "user") else ["attributes", "system", *names]
