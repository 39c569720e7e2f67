"""Where a job's output goes: our own streams, or files by template; as it was written, or with labels."""

import os
from collections.abc import Callable, Mapping

from flux.base.mustache import render
from flux.runtime.descriptor import write_all

OURS = {"stdout": 1, "stderr": 2}


class Sinks:
    """Writes output to descriptors, and to files that it opens when they are first written to.

    `templates` is by stream: a stream without one is written to ours. `tags` are what a task's file name may have.
    """

    def __init__(
        self,
        templates: Mapping[str, str],
        tags: Callable[[int], Mapping[str, str]],
        warn: Callable[[str], None],
        *,
        label: bool = False,
        ours: Mapping[str, int] = OURS,
    ) -> None:
        self._templates, self._tags, self._warn, self._label, self._ours = templates, tags, warn, label, ours
        self._files: dict[str, int] = {}
        self._targets: dict[tuple[int, str], int] = {}
        self._warned: set[tuple[str, str]] = set()
        self._begun: set[tuple[int, str]] = set()
        """Streams whose last line has no end yet, so that it has its label already."""

    def open(self, tasks: int) -> None:
        """Makes the files of that many tasks, so that they are there even if nothing is written. OSError names one."""
        for stream in self._templates:
            for task in range(tasks):
                self._target(task, stream)

    def write(self, task: int, stream: str, data: bytes) -> None:
        """Writes what a task wrote."""
        if data:
            write_all(self._target(task, stream), self._labelled(task, stream, data) if self._label else data)

    def close(self) -> None:
        """Closes the files."""
        for descriptor in self._files.values():
            os.close(descriptor)
        self._files.clear()

    def _labelled(self, task: int, stream: str, data: bytes) -> bytes:
        mark, key = b"%d: " % task, (task, stream)
        *lines, rest = data.split(b"\n")
        first = b"" if key in self._begun else mark
        if rest:
            self._begun.add(key)
        elif lines:
            self._begun.discard(key)
        text = (b"\n" + mark).join([*lines, rest]) if rest else (b"\n" + mark).join(lines) + b"\n"
        return first + text

    def _target(self, task: int, stream: str) -> int:
        key = task, stream
        if key not in self._targets:
            template = self._templates.get(stream)
            self._targets[key] = self._ours[stream] if template is None else self._open(template, task)
        return self._targets[key]

    def _open(self, template: str, task: int) -> int:
        path = render(template, self._tags(task), lambda tag: self._unknown(template, tag))
        if path not in self._files:
            try:
                self._files[path] = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
            except OSError as error:
                raise OSError(error.errno, f"{path}: {error.strerror}") from None
        return self._files[path]

    def _unknown(self, template: str, tag: str) -> None:
        if (template, tag) not in self._warned:
            self._warned.add((template, tag))
            self._warn(f"{template}: unknown tag {{{{{tag}}}}}")
