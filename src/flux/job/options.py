"""Options of flux-submit(1) put into a jobspec that is there already."""

import json
import os
import resource
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from flux.base import dependency, envrules
from flux.base.duration import parse_fsd
from flux.job.constraint import ConstraintSyntaxError, MiniConstraintParser
from flux.job.files import named

if TYPE_CHECKING:
    from flux.job.specification import Jobspec

LISTS = ("requires", "dependency", "env", "rlimit")
"""Options that are lists; one text alone is a list of one."""
NOT_PASSED_ON = ("memlock", "ofile", "msgqueue", "nice", "rtprio", "rttime", "sigpending")
"""Limits that jobs do not have from who submits them, unless they are asked for."""
NO_LIMIT = ("unlimited", "infinity", "inf")
WARNING = 60.0
"""Seconds before the end at which a signal comes, unless it is said."""


def apply(jobspec: "Jobspec", args: Any, options: Mapping[str, Any]) -> None:
    """Sets what options say; those that are given go before attributes of `args`. TypeError names an unknown one."""
    unknown = sorted(options.keys() - (APPLY.keys() - ONLY_ARGS))
    if unknown:
        raise TypeError(f"apply_options() got unexpected keyword argument(s): {', '.join(map(repr, unknown))}")
    given = {name: value for name, value in options.items() if value is not None}
    if args is not None:
        found = {name: getattr(args, name, None) for name in APPLY}
        given = {"env": [], "rlimit": []} | {name: value for name, value in found.items() if value is not None} | given
    for name in LISTS:
        if isinstance(given.get(name), str):
            given[name] = [given[name]]
    for name, do in APPLY.items():
        if name in given:
            do(jobspec, given[name])


# -- the environment --------------------------------------------------------------------------------------------


def _env(jobspec: "Jobspec", rules: Iterable[str]) -> None:
    rules = list(_expanded(rules))
    later = dict(rule.split("=", 1) for rule in rules if _is_template(rule))
    jobspec.environment = envrules.apply((rule for rule in rules if not _is_template(rule)), os.environ)
    if later:
        jobspec.setattr_shell_option("env-expand", later)


def _is_template(rule: str) -> bool:
    """Whether it sets a variable to what the job shell will know."""
    return not rule.startswith("-") and "{{" in rule.partition("=")[2]


def _expanded(rules: Iterable[str], depth: int = 0) -> Iterator[str]:
    """Puts the rules that a file has in its place."""
    for rule in rules:
        if not rule.startswith("^"):
            yield rule
            continue
        path = os.path.expanduser(rule[1:])
        if depth > 8:
            raise ValueError(f"--env: {path}: files that name each other")
        try:
            with open(path, encoding="utf-8") as file:
                lines = [line.strip() for line in file]
        except OSError as error:
            raise ValueError(f"--env: {path}: {error.strerror}") from None
        yield from _expanded(filter(None, lines), depth + 1)


# -- limits --------------------------------------------------------------------------------------------


def _rlimit(jobspec: "Jobspec", rules: Iterable[str]) -> None:
    chosen = limits(rules)
    if chosen:
        jobspec.setattr_shell_option("rlimit", chosen)


def limits(rules: Iterable[str]) -> dict[str, int]:
    """This process's limits by name, as rules (flux-run(1), --rlimit) choose and change them; -1 is none."""
    known = {name[7:].lower(): getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")}
    found = {name: resource.getrlimit(known[name])[0] for name in known if name not in NOT_PASSED_ON}
    for rule in (word for text in rules for word in text.split(",")):
        name, equals, value = rule.removeprefix("-").lower().partition("=")
        matching = [one for one in known if fnmatchcase(one, name)]
        if not matching and not rule.startswith("-"):
            raise ValueError(f'No corresponding rlimit matching "{name}"')
        for one in matching:
            if rule.startswith("-"):
                found.pop(one, None)
            else:
                found[one] = _limit(name, value) if equals else resource.getrlimit(known[one])[0]
    return found


def _limit(name: str, text: str) -> int:
    if text in NO_LIMIT:
        return -1
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"Invalid value in {name}={text}") from None


# -- the rest --------------------------------------------------------------------------------------------


def _signal(jobspec: "Jobspec", text: str) -> None:
    name, _, when = text.partition("@")
    try:
        number = _signum(name or signal.SIGUSR1)
        left = duration(when) if when else WARNING
    except ValueError as error:
        raise ValueError(f"--signal={text}: {error}") from None
    jobspec.setattr_shell_option("signal", {"signum": number, "timeleft": left})


def _signum(name: Any) -> int:
    if isinstance(name, int) or name.lstrip("-").isdecimal():
        number = int(name)
    else:
        known = signal.Signals.__members__
        number = int(known.get(name, known.get(f"SIG{name}", 0)))
        if not number:
            raise ValueError(f"signal '{name}' is invalid")
    if number <= 0:
        raise ValueError("signal must be > 0")
    return number


def duration(value: Any) -> float:
    """Seconds, of a number (also as text) or of an RFC 23 duration."""
    try:
        return float(value)
    except ValueError:
        return parse_fsd(value)


def _taskmap(jobspec: "Jobspec", text: str) -> None:
    scheme, _, value = text.partition(":")
    jobspec.setattr_shell_option("taskmap", {"scheme": scheme, "value": value})


def _dependency(jobspec: "Jobspec", texts: Iterable[str]) -> None:
    wanted = [dependency.parse(text if ":" in text else f"{text}:") for text in texts]
    jobspec.setattr("system.dependencies", wanted)


def _requires(jobspec: "Jobspec", texts: Iterable[str]) -> None:
    query = " ".join(texts)
    try:
        jobspec.setattr("system.constraints", MiniConstraintParser().parse(query))
    except ConstraintSyntaxError as error:
        raise ValueError(f"--requires='{query}': {error}") from None


def _shell_options(jobspec: "Jobspec", options: Mapping[str, Any]) -> None:
    for key, value in options.items():
        jobspec.setattr_shell_option(key, value)


def _setopt(jobspec: "Jobspec", texts: Iterable[str]) -> None:
    for text in texts:
        jobspec.setattr_shell_option(*_pair("--setopt", text))


def _time_limit(jobspec: "Jobspec", value: Any) -> None:
    jobspec.duration = duration(value)


def _attributes(jobspec: "Jobspec", attributes: Mapping[str, Any]) -> None:
    for key, value in attributes.items():
        jobspec.setattr(_below(key), value)


def _setattr(jobspec: "Jobspec", texts: Iterable[str]) -> None:
    for text in texts:
        key, value = _pair("--setattr", text)
        jobspec.setattr(_below(key), value)


def _below(key: str) -> str:
    """An attribute's whole path: one that begins with a dot is below `attributes`, a plain one below `system`."""
    return f"attributes{key}" if key.startswith(".") else key


def _pair(option: str, text: str) -> tuple[str, Any]:
    """KEY=VALUE, where VALUE is JSON if it can be; KEY alone is 1; ^KEY=FILE is a file of JSON."""
    key, equals, value = text.partition("=")
    if key.startswith("^"):
        with open(value, encoding="utf-8") as file:
            try:
                return key[1:], json.load(file)
            except ValueError as error:
                raise ValueError(f"{option}: {value}: {error}") from None
    if not equals:
        return key, 1
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


def _add_file(jobspec: "Jobspec", texts: Iterable[str]) -> None:
    for text in texts:
        try:
            name, data, permissions = named(text)
            jobspec.add_file(name, data, permissions)
        except (OSError, ValueError) as error:
            raise ValueError(f"--add-file={text}: {error}") from None


Apply = Callable[["Jobspec", Any], None]
APPLY: dict[str, Apply] = {
    "env": _env,
    "rlimit": _rlimit,
    "signal": _signal,
    "taskmap": _taskmap,
    "dependency": _dependency,
    "requires": _requires,
    "setopt": _setopt,
    "shell_options": _shell_options,
    "time_limit": _time_limit,
    "setattr": _setattr,
    "attributes": _attributes,
    "add_file": _add_file,
}
"""The options, in the order in which they are set."""
ONLY_ARGS = {"setopt", "setattr"}
"""Those that only commands have, as text."""
