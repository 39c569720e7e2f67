"""The states and results of a job (RFC 21), their numbers and names."""

from enum import IntEnum, IntFlag


class State(IntFlag):
    """Where a job is; what is more than one state names a phase."""

    NEW = 1
    DEPEND = 2
    PRIORITY = 4
    SCHED = 8
    RUN = 16
    CLEANUP = 32
    INACTIVE = 64
    PENDING = DEPEND | PRIORITY | SCHED
    RUNNING = RUN | CLEANUP
    ACTIVE = PENDING | RUNNING


class Result(IntEnum):
    """How a job has ended."""

    COMPLETED = 1
    FAILED = 2
    CANCELED = 4
    TIMEOUT = 8


HOLD, DEFAULT, EXPEDITE = 0, 16, 31
"""Urgencies (RFC 30). Guests may have up to DEFAULT."""
MAX_PRIORITY = 0xFFFFFFFF

DEBUG, WAITABLE, NOVALIDATE = 2, 4, 8
"""Flags of a submission."""
FLAGS = {"debug": DEBUG, "waitable": WAITABLE, "novalidate": NOVALIDATE, "immutable": 16}


def priority_of(urgency: int) -> int:
    """The priority that an urgency gives, as long as nobody says otherwise."""
    return {HOLD: 0, EXPEDITE: MAX_PRIORITY}.get(urgency, urgency)
