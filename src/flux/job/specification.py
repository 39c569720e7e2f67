"""A jobspec as an object (RFC 14): what it asks for, what it runs, its attributes."""

import json
import os
from collections.abc import Iterator, Mapping
from datetime import timedelta
from math import isfinite
from typing import Any, ClassVar, Self

from flux.base.duration import parse_fsd
from flux.job import validation

UNBUFFERED = {"output.batch-timeout": 0.05, "input.batch-timeout": 0.0}
"""What a job that passes output on as it is written has besides; seconds."""


class Jobspec:
    """A jobspec that is checked when it is made. `flux.job.JobspecV1` has functions that make one."""

    top_level_keys: ClassVar = set(validation.TOP)

    def __init__(self, resources: Any, tasks: Any, attributes: Any, version: Any) -> None:
        """Takes the four parts as RFC 14 has them. TypeError or ValueError names what is wrong."""
        validation.check(resources, tasks, attributes, version)
        self.jobspec = {"resources": resources, "tasks": tasks, "attributes": attributes, "version": version}

    @classmethod
    def from_yaml_stream(cls, yaml_stream: Any) -> Self:
        """Reads a jobspec from an open file, or from text: JSON, or other YAML if PyYAML is installed.

        TypeError or ValueError names what is wrong; ImportError says that PyYAML is needed.
        """
        found = _loaded(yaml_stream if isinstance(yaml_stream, str | bytes) else yaml_stream.read())
        if not isinstance(found, dict):
            raise TypeError("jobspec must be a mapping")
        validation.check_keys(found, validation.TOP)
        return cls(**found)

    @classmethod
    def from_yaml_file(cls, filename: Any) -> Self:
        """As `from_yaml_stream`, by a file's path. OSError if it cannot be read."""
        with open(filename, "rb") as file:
            return cls.from_yaml_stream(file)

    def dumps(self, **options: Any) -> str:
        """As JSON; `options` are those of `json.dumps`."""
        return json.dumps(self.jobspec, ensure_ascii=False, **options)

    # -- attributes -------------------------------------------------------------------------------------------------

    @property
    def resources(self) -> Any:
        """What it asks for: a list of resource vertices."""
        return self.jobspec["resources"]

    @property
    def tasks(self) -> Any:
        """What it runs: a list, of one task in version 1."""
        return self.jobspec["tasks"]

    @property
    def attributes(self) -> Any:
        """All else: `system` and `user`."""
        return self.jobspec["attributes"]

    @property
    def version(self) -> Any:
        """1."""
        return self.jobspec["version"]

    def getattr(self, key: str) -> Any:
        """An attribute by its path ("system.job.name"), below `system` unless it says otherwise. KeyError for none."""
        at: Any = self.jobspec
        for name in _path(key):
            at = at.get(name) if isinstance(at, Mapping) else None
            if at is None:
                raise KeyError(key)
        return at

    def setattr(self, key: str, val: Any) -> None:
        """Sets an attribute by its path, as `getattr` takes it. TypeError if something on the way is no object."""
        *way, last = path = _path(key)
        at: Any = self.jobspec
        for name in way:
            if not isinstance(at, dict):
                break
            at = at.setdefault(name, {})
        if not isinstance(at, dict):
            raise TypeError(f"failed to set {'.'.join(path)} to {val}: what it should be in is no object")
        at[last] = val

    def setattr_shell_option(self, key: str, val: Any) -> None:
        """Sets an option of the job shell by its path ("output.mode"), as `flux run -o` does."""
        self.setattr(f"system.shell.options.{key}", val)

    def add_file(self, path: str, data: Any, perms: int | None = None, encoding: str | None = None) -> None:
        """Has the job bring a file with it, which its tasks find as {{tmpdir}}/`path` (RFC 37).

        `data` is a dict (the file is JSON), text with an end of line, or with an `encoding` ("utf-8", "base64"); other
        text is the path of a file that is read now. `perms` are its permissions, 0o600 unless it was read. OSError if
        it cannot be read.
        """
        from flux.job.files import fileref

        if not isinstance(data, Mapping | str):
            raise TypeError("data must be a Mapping or string")
        system = self.attributes.setdefault("system", {})
        system.setdefault("files", {})[path] = fileref(data, perms, encoding)

    @property
    def duration(self) -> Any:
        """The time limit in seconds; 0 is none. Set it to a number, to RFC 23 text ("1.5h"), or to a timedelta."""
        return self._found("system.duration")

    @duration.setter
    def duration(self, duration: Any) -> None:
        self.setattr("system.duration", seconds(duration))

    @property
    def queue(self) -> Any:
        """The queue, None for the default."""
        return self._found("system.queue")

    @queue.setter
    def queue(self, queue: str) -> None:
        if not isinstance(queue, str):
            raise TypeError("queue must be a string")
        self.setattr("system.queue", queue)

    @property
    def cwd(self) -> Any:
        """The directory that its tasks run in."""
        return self._found("system.cwd")

    @cwd.setter
    def cwd(self, cwd: Any) -> None:
        cwd = os.fspath(cwd) if isinstance(cwd, os.PathLike) else cwd
        if not isinstance(cwd, str):
            raise ValueError("cwd must be a string")
        self.setattr("system.cwd", cwd)

    @property
    def environment(self) -> Any:
        """The environment of its tasks, all of it. What is assigned is not copied."""
        return self._found("system.environment")

    @environment.setter
    def environment(self, environ: Any) -> None:
        if not isinstance(environ, Mapping):
            raise ValueError("environment must be a mapping")
        self.setattr("system.environment", environ)

    # -- input and output -------------------------------------------------------------------------------------------

    @property
    def input(self) -> Any:
        """The file that its tasks read; also called `stdin`."""
        return self._stream("input.stdin")

    @input.setter
    def input(self, path: Any) -> None:
        self._redirect("input.stdin", path)

    @property
    def output(self) -> Any:
        """The file that stdout goes to, and stderr unless that has its own; may have {{id}} in it. Or `stdout`."""
        return self._stream("output.stdout")

    @output.setter
    def output(self, path: Any) -> None:
        self._redirect("output.stdout", path)

    @property
    def error(self) -> Any:
        """The file that stderr goes to; also called `stderr`."""
        return self._stream("output.stderr")

    @error.setter
    def error(self, path: Any) -> None:
        self._redirect("output.stderr", path)

    stdin, stdout, stderr = input, output, error

    @property
    def unbuffered(self) -> bool:
        """Whether output is passed on as it is written."""
        kinds = {self._found(f"shell.options.output.{name}.buffer.type") for name in ("stdout", "stderr")}
        return kinds == {"none"}

    @unbuffered.setter
    def unbuffered(self, value: bool) -> None:
        if not isinstance(value, bool):
            raise TypeError("unbuffered must be True or False")
        if value:
            for name in ("stdout", "stderr"):
                self.setattr_shell_option(f"output.{name}.buffer.type", "none")
            for option, timeout in UNBUFFERED.items():
                self.setattr_shell_option(option, timeout)
            return
        for name in ("stdout", "stderr"):
            self._remove(f"system.shell.options.output.{name}.buffer")
        for option, timeout in UNBUFFERED.items():
            if self._found(f"shell.options.{option}") == timeout:
                self._remove(f"system.shell.options.{option}")

    def _stream(self, name: str) -> Any:
        return self._found(f"system.shell.options.{name}.path")

    def _redirect(self, name: str, path: Any) -> None:
        path = os.fspath(path) if isinstance(path, os.PathLike) else path
        if not isinstance(path, str):
            raise TypeError(f"The path must be a string or pathlib object, got {type(path).__name__}")
        self.setattr_shell_option(f"{name}.type", "file")
        self.setattr_shell_option(f"{name}.path", path)

    def _found(self, key: str) -> Any:
        try:
            return self.getattr(key)
        except KeyError:
            return None

    def _remove(self, key: str) -> None:
        """Takes an attribute out, and objects that are empty then."""
        way: list[tuple[Any, str]] = []
        at: Any = self.jobspec
        for name in _path(key):
            if name not in at:
                return
            way.append((at, name))
            at = at[name]
        for number, (inside, name) in enumerate(reversed(way)):
            if number and inside[name]:
                break
            del inside[name]

    # -- resources --------------------------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Any]:
        """Yields all resource vertices, each before those in it."""
        return _flat(self.resources)

    def resource_walk(self) -> Iterator[tuple[Any, Any, int]]:
        """Yields (parent, vertex, count in all) of all resource vertices, each before those in it."""

        def walk(parent: Any, vertices: Any, times: int) -> Iterator[tuple[Any, Any, int]]:
            for vertex in vertices:
                count = times * vertex["count"]
                yield parent, vertex, count
                yield from walk(vertex, vertex.get("with", ()), count)

        return walk(None, self.resources, 1)

    def resource_counts(self) -> dict[str, int]:
        """How many resources of each type it asks for in all; 0 for any other type."""
        from collections import Counter

        counts: Counter[str] = Counter()
        for _, vertex, count in self.resource_walk():
            counts[vertex["type"]] += count
        return counts

    def __repr__(self) -> str:
        parts = f"{self.resources}, {self.tasks}, attributes={self.attributes}, version={self.version}"
        return f"{type(self).__name__}({parts})"

    def __str__(self) -> str:
        return str(self.jobspec)


def seconds(duration: Any) -> float:
    """A time limit in seconds, of what `Jobspec.duration` takes. TypeError or ValueError for what cannot be one."""
    if isinstance(duration, str):
        found = parse_fsd(duration)
    elif isinstance(duration, timedelta):
        found = duration.total_seconds()
    elif isinstance(duration, int | float):
        found = float(duration)
    else:
        raise TypeError("duration must be an int, float, string, or timedelta")
    if found < 0:
        raise ValueError("duration must not be negative")
    if not isfinite(found):
        raise ValueError("duration must be a normal, finite value")
    return found


def _path(key: str) -> list[str]:
    """From the top of the jobspec."""
    names = key.split(".")
    if names[0] == "attributes":
        return names
    return ["attributes", *names] if names[0] in ("system", "user") else ["attributes", "system", *names]


def _flat(vertices: Any) -> Iterator[Any]:
    for vertex in vertices:
        yield vertex
        yield from _flat(vertex.get("with", ()))


def _loaded(text: str | bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        from importlib import import_module

        try:
            yaml = import_module("yaml")
        except ModuleNotFoundError:
            raise ImportError("a jobspec in YAML that is not JSON needs PyYAML (pip install pyyaml)") from None
    return yaml.safe_load(text)
