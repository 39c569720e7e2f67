"""The options by which a job is described (`flux submit`, `flux run`), and the jobspec that they make."""

import json
import os
import re
import resource
import signal
import time
from argparse import REMAINDER, Namespace
from errno import EILSEQ
from fnmatch import fnmatchcase
from math import isfinite
from typing import Any

from flux.base import constraint_query, dependency, shape
from flux.base.duration import parse_fsd
from flux.base.invalid import Invalid
from flux.commands.parser import Parser
from flux.runtime.directory import absolute

PER_TASK = ("ntasks", "cores_per_task", "gpus_per_task", "mem")
PER_RESOURCE = ("cores", "tasks_per_node", "tasks_per_core", "gpus_per_node")
NOT_PASSED_ON = {"memlock", "ofile", "msgqueue", "nice", "rtprio", "rttime", "sigpending"}
"""Limits that jobs do not have from who submits them, unless they are asked for."""
FLAGS = ("debug", "waitable", "novalidate")
URGENCIES = {"hold": 0, "default": 16, "expedite": 31}
NOWHERE = ("none", "kvs")


def add_options(made: Parser) -> None:
    """Adds all of them, and the command at the end."""
    _resources(made)
    _limits(made)
    _surroundings(made)
    _io(made)
    _shell(made)
    made.add_argument("command", nargs=REMAINDER, metavar="COMMAND ...", help="what to run")


def _resources(made: Parser) -> None:
    add = made.add_argument_group("resources").add_argument
    add("-N", "--nodes", metavar="N", help="nodes; without a number of tasks one task on each, exclusive")
    add("-x", "--exclusive", action="store_true", help="whole nodes (with -N)")
    add("-n", "--ntasks", metavar="N", help="tasks (1)")
    add("-c", "--cores-per-task", metavar="N", help="cores of each task (1)")
    add("-g", "--gpus-per-task", metavar="N", help="GPUs of each task (0)")
    add("--mem", metavar="SIZE", help="memory of each task, like 500M or 2G")
    add("--cores", metavar="N", help="cores in all, instead of tasks")
    add("--tasks-per-node", metavar="N", help="tasks on each node")
    add("--tasks-per-core", metavar="N", help="tasks on each core")
    add("--gpus-per-node", metavar="N", help="GPUs of each node (with -N)")
    query = "properties of nodes: fast, -slow, host:a[0-3]"
    add("--requires", "--require", action="append", metavar="QUERY", help=query)


def _limits(made: Parser) -> None:
    add = made.add_argument_group("when, and for how long").add_argument
    add("-t", "--time-limit", metavar="MINUTES|FSD", help="time limit: 5 (minutes), 30s, 2h")
    add("-q", "--queue", metavar="NAME", help="queue")
    add("-B", "--bank", metavar="NAME", help="bank")
    add("--urgency", metavar="N", help="0 (hold) to 31 (expedite); default is 16")
    add("--dependency", action="append", metavar="URI", help="afterok:JOBID, afterany:JOBID, singleton: ...")
    add("--begin-time", metavar="TIME", help="not before: +1h, or a date and time")


def _surroundings(made: Parser) -> None:
    group = made.add_argument_group("environment")
    group.add_argument("--job-name", metavar="NAME", help="name (the command's)")
    group.add_argument("--cwd", metavar="DIR", help="directory to run in (this one)")
    many: dict[str, Any] = {"action": "append", "default": []}
    group.add_argument("--env", **many, metavar="RULE", help="VAR=VALUE, PATTERN, -PATTERN, ^FILE")
    for name, sign, metavar in (("--env-remove", "-", "PATTERN"), ("--env-file", "^", "FILE")):
        kind: dict[str, Any] = {"type": f"{sign}{{}}".format, "help": f"as --env={sign}{metavar}"}
        group.add_argument(name, dest="env", action="append", metavar=metavar, **kind)
    group.add_argument("--rlimit", **many, metavar="RULE", help="limits to pass on: NAME, -NAME, NAME=VALUE")
    group.add_argument("--add-file", **many, metavar="[NAME=]FILE", help="a file that the job has with it")


def _io(made: Parser) -> None:
    group = made.add_argument_group("input and output")
    group.add_argument("--input", metavar="FILE", help="what tasks read")
    group.add_argument("--output", metavar="TEMPLATE", help="file for stdout, such as out.{{id}} (the key-value store)")
    group.add_argument("--error", metavar="TEMPLATE", help="file for stderr (as --output)")
    group.add_argument("-l", "--label-io", action="store_true", help="put its task's number before each line")
    group.add_argument("-u", "--unbuffered", action="store_true", help="pass output on as it is written")


def _shell(made: Parser) -> None:
    group = made.add_argument_group("more")
    many: dict[str, Any] = {"action": "append", "default": []}
    group.add_argument("-o", "--setopt", **many, metavar="KEY[=VALUE]", help="an option of the job shell")
    group.add_argument("-S", "--setattr", **many, metavar="KEY[=VALUE]", help="an attribute of the jobspec")
    group.add_argument("--taskmap", metavar="SCHEME[:VALUE]", help="how tasks are placed: block, cyclic, manual:MAP")
    group.add_argument("--signal", metavar="[SIG][@TIME]", help="a signal before the time limit (USR1@60s)")
    group.add_argument("--flags", **many, metavar="FLAG,...", help="debug, waitable, novalidate")
    group.add_argument("--dry-run", "--dry", action="store_true", help="print the jobspec, and submit nothing")


# -- the jobspec ----------------------------------------------------------------------------------------------------


def jobspec(args: Namespace) -> dict[str, Any]:
    """The jobspec that the options describe. Raises Invalid, or OSError for files that cannot be read."""
    command = args.command[1:] if args.command[:1] == ["--"] else args.command
    if not command:
        raise Invalid("job command and arguments are missing")
    options: dict[str, Any] = {}
    vertices, count = _shape(args, options)
    system: dict[str, Any] = {
        "duration": _duration(args.time_limit),
        "environment": _environment(args.env),
        "cwd": _text(os.path.normpath(absolute(args.cwd or os.curdir))),
        "shell": {"options": options},
    }
    _name(system, args)
    _output(options, args)
    options["rlimit"] = _rlimits(args.rlimit)
    for text in args.setopt:
        key, value = pair(text)
        put(options, key, value)
    if args.taskmap:
        scheme, _, value = args.taskmap.partition(":")
        options["taskmap"] = {"scheme": scheme, "value": value}
    if args.signal:
        options["signal"] = _signal(args.signal)
    made = {
        "resources": vertices,
        "tasks": [{"command": [_text(word) for word in command], "slot": shape.LABEL, "count": count}],
        "attributes": {"system": system},
        "version": 1,
    }
    _attributes(made, args)
    return made


def flags(args: Namespace) -> dict[str, bool]:
    """The flags of the submission, as `flux.job.submit` takes them. Raises Invalid."""
    found = {}
    for word in (word for text in args.flags for word in text.split(",")):
        if word not in FLAGS:
            raise Invalid(f"--flags: Unknown flag {word}")
        found[word] = True
    return found


def urgency(text: str | None) -> int:
    """The urgency of a submission. Raises Invalid."""
    if text is None:
        return URGENCIES["default"]
    if text in URGENCIES:
        return URGENCIES[text]
    if not text.isdecimal() or int(text) > 31:
        raise Invalid("urgency: must be an integer in range [0,31], or hold, default, expedite")
    return int(text)


def _shape(args: Namespace, options: dict[str, Any]) -> tuple[list[dict[str, Any]], dict[str, int]]:
    numbers = {name: _number(args, name) for name in ("nodes", *PER_TASK[:3], *PER_RESOURCE)}
    memory = _megabytes(args.mem) if args.mem else 0
    if all(numbers[name] is None for name in PER_RESOURCE):
        cores, gpus = numbers["cores_per_task"], numbers["gpus_per_task"]
        return shape.of_tasks(
            numbers["ntasks"], numbers["nodes"], cores or 1, gpus or 0, memory, exclusive=args.exclusive
        )
    if any(numbers[name] is not None for name in PER_TASK[:3]) or memory:
        raise Invalid("Per-resource options can't be used with per-task options. (See --help for details)")
    if numbers["tasks_per_node"] is not None and numbers["tasks_per_core"] is not None:
        raise Invalid("Do not specify both the number of tasks per node and per core")
    for name, kind in (("tasks_per_node", "node"), ("tasks_per_core", "core")):
        if numbers[name] is not None:
            if numbers[name] < 1:  # type: ignore[operator]
                raise Invalid(f"--{name.replace('_', '-')} must be >= 1")
            options["per-resource"] = {"type": kind, "count": numbers[name]}
    if numbers["gpus_per_node"] is not None and numbers["nodes"] is None:
        raise Invalid("--gpus-per-node requires --nodes")
    gpus = numbers["gpus_per_node"] or 0
    made = shape.of_resources(numbers["cores"], numbers["nodes"], gpus, exclusive=args.exclusive)
    return made, {"per_slot": 1}


def _number(args: Namespace, name: str) -> int | None:
    text = getattr(args, name)
    if text is None:
        return None
    try:
        return int(text)
    except ValueError:
        raise Invalid(f"--{name.replace('_', '-')}: invalid int value '{text}'") from None


def _megabytes(text: str) -> int:
    match = re.fullmatch(r"([\d.]+)\s*([kKMGT]?)(?:i?B)?", text)
    if match is None:
        raise Invalid(f"--mem: '{text}' is not a size (like 500M or 2G)")
    factor = {"": 1, "K": 1 / 1024, "M": 1, "G": 1024, "T": 1 << 20}[match[2].upper()]
    return max(1, round(float(match[1]) * factor))


def _duration(text: str | None) -> float:
    if text is None:
        return 0
    try:
        minutes = float(text)
    except ValueError:
        try:
            seconds = parse_fsd(text)
        except ValueError:
            raise Invalid(f"invalid Flux standard duration: {text}") from None
    else:
        seconds = minutes * 60
    if not isfinite(seconds) or seconds < 0:
        raise Invalid(f"invalid Flux standard duration: {text}")
    return seconds


def _environment(rules: list[str]) -> dict[str, str]:
    from flux.base.envrules import apply
    from flux.commands.envfiles import expanded

    env = dict(os.environ)
    if rules:
        try:
            env = apply(expanded(rules), os.environ)
        except ValueError as error:
            raise Invalid(f"--env: {error}") from None
    return {name: value for name, value in env.items() if (name + value).isascii() or _is_text(name + value)}


def _is_text(word: str) -> bool:
    try:
        return bool(word.encode())
    except UnicodeEncodeError:
        return False


def _text(word: str) -> str:
    """Directories and commands travel as UTF-8."""
    if not _is_text(word):
        raise OSError(EILSEQ, f"{word!a}: not UTF-8")
    return word


def _name(system: dict[str, Any], args: Namespace) -> None:
    if args.job_name:
        system["job"] = {"name": args.job_name}
    for key in ("queue", "bank"):
        if getattr(args, key):
            system[key] = getattr(args, key)
    wanted = [dependency.parse(text) for text in args.dependency or ()]
    if args.begin_time:
        wanted.append({"scheme": "begin-time", "value": str(_begin(args.begin_time))})
    if wanted:
        system["dependencies"] = wanted
    if args.requires:
        system["constraints"] = constraint_query.parse(" and ".join(f"({text})" for text in args.requires))


def _begin(text: str) -> float:
    if text.startswith("+"):
        try:
            return time.time() + parse_fsd(text[1:])
        except ValueError:
            raise Invalid(f"--begin-time: '{text}' is not a duration") from None
    from datetime import datetime

    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise Invalid(f"--begin-time: '{text}' is neither +DURATION nor a date and time (2030-01-31 13:00)") from None


def _output(options: dict[str, Any], args: Namespace) -> None:
    if args.input:
        options["input"] = {"stdin": {"type": "file", "path": args.input}}
    for stream, path in (("stdout", args.output), ("stderr", args.error)):
        if path and path not in NOWHERE:
            options.setdefault("output", {})[stream] = {"type": "file", "path": path}
            if args.label_io:
                options["output"][stream]["label"] = True
    if args.unbuffered:
        output = options.setdefault("output", {})
        for stream in ("stdout", "stderr"):
            output.setdefault(stream, {})["buffer"] = {"type": "none"}
        output["batch-timeout"] = 0.05
        options.setdefault("input", {})["batch-timeout"] = 0.0


def _rlimits(rules: list[str]) -> dict[str, int]:
    known = {name[7:].lower(): getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")}
    chosen = {name for name in known if name not in NOT_PASSED_ON}
    values: dict[str, int] = {}
    for rule in (word for text in rules for word in text.split(",")):
        name, equals, value = rule.removeprefix("-").partition("=")
        name = name.lower().removeprefix("rlimit_")
        matching = {one for one in known if fnmatchcase(one, name)}
        if not matching:
            raise Invalid(f"--rlimit: No limits match {name}" if "*" in name else f"--rlimit: Invalid limit {name}")
        if rule.startswith("-"):
            chosen -= matching
        else:
            chosen |= matching
            if equals:
                values |= dict.fromkeys(matching, _limit(name, value))
    return {name: values.get(name, resource.getrlimit(known[name])[0]) for name in _ordered(known) if name in chosen}


def _ordered(known: dict[str, int]) -> list[str]:
    """In the order of the kernel's numbers, which is how today's jobspecs have them."""
    first = ("cpu", "fsize", "data", "stack", "core", "nofile", "as", "rss", "nproc")
    return [name for name in first if name in known] + [name for name in known if name not in first]


def _limit(name: str, text: str) -> int:
    if text in ("unlimited", "infinity", "inf"):
        return -1
    if not text.isdecimal():
        raise Invalid(f"--rlimit: Invalid value in {name}={text}")
    return int(text)


def _signal(text: str) -> dict[str, Any]:
    name, at, left = text.partition("@")
    number = int(name) if name.isdecimal() else _signum(name or "USR1", text)
    try:
        return {"signum": number, "timeleft": parse_fsd(left) if at else 60.0}
    except ValueError:
        raise Invalid(f"--signal: '{text}': {left} is not a duration") from None


def _signum(name: str, text: str) -> int:
    full = name.upper() if name.upper().startswith("SIG") else f"SIG{name.upper()}"
    try:
        return signal.Signals[full]
    except KeyError:
        raise Invalid(f"--signal: '{text}': there is no signal {name}") from None


# -- attributes -----------------------------------------------------------------------------------------------------


def _attributes(made: dict[str, Any], args: Namespace) -> None:
    for text in args.setattr:
        key, value = pair(text.removeprefix("^"))
        if text.startswith("^"):
            value = _json_file(str(value))
        if key.startswith("."):
            key = key[1:]
        elif not key.startswith(("system.", "user.", "attributes.")):
            key = f"system.{key}"
        put(made["attributes"], key.removeprefix("attributes."), value)
    if args.add_file:
        made["attributes"]["system"]["files"] = {}
    for text in args.add_file:
        _add_file(made["attributes"]["system"]["files"], text)


def pair(text: str) -> tuple[str, Any]:
    """KEY=VALUE; the value is JSON if it can be, else a string; without one it is 1."""
    key, equals, value = text.partition("=")
    if not equals:
        return key, 1
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


def put(into: dict[str, Any], key: str, value: Any) -> None:
    *way, last = key.split(".")
    for name in way:
        inner = into.setdefault(name, {})
        if not isinstance(inner, dict):
            inner = into[name] = {}
        into = inner
    into[last] = value


def _json_file(path: str) -> Any:
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except OSError as error:
        raise OSError(error.errno, f"--setattr: {path}: {error.strerror}") from None
    except ValueError as error:
        raise Invalid(f"--setattr: {path}: {error}") from None


def _add_file(files: dict[str, Any], text: str) -> None:
    match = re.fullmatch(r"(?:([^:=\n]+)(?::(0?[0-7]{3,4}))?=)?(.*)", text, re.DOTALL)
    name, mode, what = (match[1], match[2], match[3]) if match is not None else (None, None, text)
    if "\n" in what:
        data = what
    else:
        try:
            with open(what, encoding="utf-8") as file:
                data = file.read()
        except OSError as error:
            raise OSError(error.errno, f"--add-file: {what}: {error.strerror}") from None
        except ValueError:
            raise Invalid(f"--add-file: {what}: not UTF-8") from None
        name = name or os.path.basename(what)
    if not name:
        raise Invalid("--add-file: a file given as its text needs a name: NAME=TEXT")
    permissions = int(mode, 8) if mode else 0o600
    files[name] = {"mode": 0o100000 | permissions, "data": data, "encoding": "utf-8"}
