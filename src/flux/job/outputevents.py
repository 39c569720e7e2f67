"""The events of a job's output (RFC 24), as objects. Pure."""

from binascii import a2b_base64
from typing import Any, NamedTuple, Union

from flux.base.idset import Ids, IDset
from flux.eventlog import EventLogEvent

LOG_QUIET, LOG_FATAL, LOG_ERROR, LOG_WARN, LOG_NOTICE, LOG_DEBUG, LOG_TRACE = -1, 0, 3, 4, 5, 6, 7
"""Levels of what a job shell logs."""
LEVELS = ("FATAL", "FATAL", "FATAL", "ERROR", " WARN", "", "DEBUG", "TRACE")


class Taskset:
    """Some tasks, or "all" of them."""

    def __init__(self, tasks: Union["Taskset", Ids]) -> None:
        """Takes an idset, or "all", also written "*". ValueError for anything else."""
        if isinstance(tasks, Taskset):
            self.all: bool = tasks.all
            self.ids: IDset = tasks.ids.copy()
        else:
            self.all = isinstance(tasks, str) and tasks in ("all", "*")
            self.ids = IDset("" if self.all else tasks)

    def intersect(self, tasks: Union["Taskset", Ids]) -> "Taskset":
        """Those that are in both."""
        other = Taskset(tasks)
        if self.all or other.all:
            return other if self.all else Taskset(self)
        return Taskset(self.ids.intersect(other.ids))

    def __bool__(self) -> bool:
        return self.all or bool(self.ids)

    def __str__(self) -> str:
        return "all" if self.all else str(self.ids)


class OutputEvent(EventLogEvent):
    """Data that tasks wrote: `rank` (a Taskset), `stream` ("stdout", "stderr"), `data` (text, None of nothing), `eof`.

    Bytes that are not UTF-8 are as `surrogateescape` has them.
    """

    def __init__(self, entry: Any, labelio: bool = False) -> None:
        super().__init__(_checked(entry, "data"))
        self.rank = Taskset(self.context["rank"])
        self.stream: str = self.context["stream"]
        self.eof = bool(self.context.get("eof", False))
        self.data = _data(self.context)
        if labelio and self.data is not None:
            self.data = "".join(f"{self.rank}: {line}\n" for line in self.data.splitlines())

    def render(self) -> str | None:
        """The data."""
        return self.data


class LogEvent(EventLogEvent):
    """What the job shell says: `rank` (a Taskset, of shells), `level`, `levelstr`, `message`, `component`, `file`,
    `line`."""

    def __init__(self, entry: Any) -> None:
        super().__init__(_checked(entry, "log"))
        self.rank = Taskset(self.context["rank"])
        self.level: int = self.context["level"]
        self.message: str = self.context["message"]
        self.component: str | None = self.context.get("component")
        self.file: str | None = self.context.get("file")
        self.line: int = self.context.get("line", -1)

    @property
    def levelstr(self) -> str:
        """The name of the level."""
        return LEVELS[self.level]

    def render(self, include_file_and_line: bool = False) -> str:
        """The line that people see of it, without its end."""
        parts = [f"flux-shell[{self.rank}]", self.levelstr, self.component or ""]
        if include_file_and_line and self.file:
            parts.append(f"{self.file}:{self.line}")
        return "".join(f"{part}: " for part in parts if part) + self.message


class OutputHeaderEvent(EventLogEvent):
    """The first one: `version`, and of each stream how many there are, and their encoding."""

    def __init__(self, entry: Any) -> None:
        super().__init__(_checked(entry, "header"))
        self.version: int = self.context["version"]
        count, encoding = self.context.get("count", {}), self.context.get("encoding", {})
        self.stdout_count, self.stderr_count = count.get("stdout", 0), count.get("stderr", 0)
        self.stdout_encoding, self.stderr_encoding = encoding.get("stdout", "UTF-8"), encoding.get("stderr", "UTF-8")


class RedirectEvent(EventLogEvent):
    """The `stream` of some tasks (`rank`) goes to the file `path`."""

    def __init__(self, entry: Any) -> None:
        super().__init__(_checked(entry, "redirect"))
        self.rank = Taskset(self.context["rank"])
        self.stream: str = self.context["stream"]
        self.path: str = self.context["path"]

    def render(self) -> str:
        """The line that people see of it, without its end."""
        return f"{self.rank}: {self.stream} redirected to {self.path}"


class JobExceptionEvent(EventLogEvent):
    """An exception of the job: `exc_type`, `severity`, `note`. It is in no output; who watches output is told."""

    def __init__(self, entry: Any) -> None:
        super().__init__(_checked(entry, "exception"))
        self.severity: int = self.context["severity"]
        self.exc_type: str = self.context["type"]
        self.note: str = self.context.get("note", "")

    def render(self) -> str:
        """The line that people see of it, without its end."""
        return f"job.exception: type={self.exc_type} severity={self.severity} {self.note}".rstrip()


Output = OutputEvent | LogEvent | OutputHeaderEvent | RedirectEvent | JobExceptionEvent


class JobOutput(NamedTuple):
    """All that a job wrote, as text, and what its shell logged."""

    stdout: str
    stderr: str
    log: str


def read(entry: Any, labelio: bool = False) -> Output:
    """An event of an output log as an object; `labelio` puts the task before each line. ValueError for others."""
    event = entry if isinstance(entry, EventLogEvent) else EventLogEvent(entry)
    match event.name:
        case "data":
            return OutputEvent(event, labelio)
        case "log":
            return LogEvent(event)
        case "header":
            return OutputHeaderEvent(event)
        case "redirect":
            return RedirectEvent(event)
        case "exception":
            return JobExceptionEvent(event)
    raise ValueError(f"event {event.name} is not a supported output event type")


def said(event: Output, log_stderr_level: int) -> tuple[str, str] | None:
    """What is to be shown of an event: the stream that it belongs to, and text; None of nothing."""
    if isinstance(event, OutputEvent):
        return (event.stream, event.data) if event.data is not None else None
    if isinstance(event, OutputHeaderEvent):
        return None
    quiet = isinstance(event, LogEvent) and event.level > log_stderr_level
    return "log" if quiet else "stderr", f"{event.render()}\n"


class Gathering:
    """Puts the events of an output log together."""

    def __init__(self, tasks: Ids | str, labelio: bool, log_stderr_level: int) -> None:
        self._tasks, self._labelio, self._level = Taskset(tasks), labelio, log_stderr_level
        self._text: dict[str, list[str]] = {"stdout": [], "stderr": [], "log": []}

    def take(self, entry: Any) -> None:
        """Takes an event."""
        event = read(entry, self._labelio)
        if isinstance(event, RedirectEvent) or (
            isinstance(event, OutputEvent) and not event.rank.intersect(self._tasks)
        ):
            return
        told = said(event, self._level)
        if told is not None:
            self._text.setdefault(told[0], []).append(told[1])

    def whole(self) -> JobOutput:
        """All of it."""
        return JobOutput(*("".join(self._text[name]) for name in JobOutput._fields))


def _data(context: dict[str, Any]) -> str | None:
    if "data" not in context:
        return None
    data: str = context["data"]
    if context.get("encoding") == "base64":
        data = a2b_base64(data).decode("utf-8", errors="surrogateescape")
    return data * int(context.get("repeat", 1))


def _checked(entry: Any, name: str) -> Any:
    event = entry if isinstance(entry, EventLogEvent) else EventLogEvent(entry)
    if event.name != name:
        raise ValueError(f"event {event.name} is not a {name} event")
    return event
