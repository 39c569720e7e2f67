"""Which jobs commands are about (flux-jobs(1)): by state, user, queue, name and time, as constraints of job-list."""

import os
import pwd
import time
from typing import Any

from flux.base.duration import parse_fsd
from flux.base.invalid import Invalid
from flux.base.jobstate import Result, State

STATES = {name.lower(): int(state) for name, state in State.__members__.items()}
RESULTS = {result.name.lower(): int(result) for result in Result}
EVERYBODY = 0xFFFFFFFF


def by_filter(words: list[str] | None, *, everything: bool) -> dict[str, Any]:
    """Jobs in states or with results; without any, those that wait or run, or `everything`. Raises Invalid."""
    if words is None:
        return {"states": ["pending", "running", *(["inactive"] if everything else [])]}
    states, results = [], []
    for word in (word.strip().lower() for text in words for word in text.split(",")):
        if word in STATES:
            states.append(STATES[word])
        elif word in RESULTS:
            results.append(RESULTS[word])
        else:
            known = ",".join([*STATES, *RESULTS])
            raise Invalid(f"Invalid filter specified: {word} (known: {known})")
    return {"or": [*([{"states": states}] if states else []), *([{"results": results}] if results else [])]}


def by_user(text: str | None) -> list[dict[str, Any]]:
    """The jobs of a user, by name or number, or of all; ours if none is said. Raises Invalid."""
    user = userid(text)
    return [] if user == EVERYBODY else [{"userid": [user]}]


def userid(text: str | None) -> int:
    """A user by name or number; us if none is said. Raises Invalid."""
    if text == "all":
        return EVERYBODY
    if text is None:
        return os.getuid()
    if text.isdecimal():
        return int(text)
    try:
        return pwd.getpwnam(text).pw_uid
    except KeyError:
        raise Invalid(f"Invalid user {text} specified") from None


def by_queue(texts: list[str] | None) -> list[dict[str, Any]]:
    """The jobs of some queues."""
    return [{"queue": [name for text in texts for name in text.split(",")]}] if texts else []


def since(text: str | None) -> float:
    """Seconds since 1970, of -DURATION, or a date and time. Raises Invalid."""
    if text is None:
        return 0.0
    try:
        if text.startswith("-"):
            return time.time() - parse_fsd(text[1:])
        if text.replace(".", "", 1).isdecimal():
            return float(text)
        from datetime import datetime

        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise Invalid(f"--since: '{text}' is neither -DURATION nor a date and time") from None
