"""The life of a broker: its states (numbers as today's clients know them) and what leads from one to the next."""

from enum import IntEnum


class State(IntEnum):
    """Broker states, in the order of a life; `str()` gives the name that state-machine.get answers."""

    LOAD_BUILTINS = 0
    JOIN = 1
    CONFIG_SYNC = 2
    INIT = 3
    QUORUM = 4
    RUN = 5
    CLEANUP = 6
    SHUTDOWN = 7
    FINALIZE = 8
    GOODBYE = 9
    UNLOAD_BUILTINS = 10
    EXIT = 11

    def __str__(self) -> str:
        return self.name.lower().replace("_", "-")


S = State

STEP: dict[tuple[State, str], State] = {
    (S.LOAD_BUILTINS, "builtins-success"): S.JOIN,
    (S.LOAD_BUILTINS, "builtins-fail"): S.UNLOAD_BUILTINS,
    (S.JOIN, "parent-none"): S.CONFIG_SYNC,
    (S.JOIN, "parent-ready"): S.CONFIG_SYNC,
    (S.JOIN, "parent-fail"): S.SHUTDOWN,
    (S.JOIN, "panic"): S.SHUTDOWN,
    (S.CONFIG_SYNC, "sync-none"): S.INIT,
    (S.CONFIG_SYNC, "sync-success"): S.INIT,
    (S.CONFIG_SYNC, "sync-fail"): S.SHUTDOWN,
    (S.CONFIG_SYNC, "parent-fail"): S.SHUTDOWN,
    (S.INIT, "rc1-success"): S.QUORUM,
    (S.INIT, "rc1-none"): S.QUORUM,
    (S.INIT, "rc1-fail"): S.SHUTDOWN,
    (S.INIT, "panic"): S.SHUTDOWN,
    (S.INIT, "parent-fail"): S.SHUTDOWN,
    (S.QUORUM, "quorum-full"): S.RUN,
    (S.QUORUM, "quorum-fail"): S.SHUTDOWN,
    (S.QUORUM, "panic"): S.SHUTDOWN,
    (S.QUORUM, "parent-fail"): S.SHUTDOWN,
    (S.QUORUM, "shutdown"): S.SHUTDOWN,
    (S.RUN, "rc2-success"): S.CLEANUP,
    (S.RUN, "rc2-fail"): S.CLEANUP,
    (S.RUN, "shutdown"): S.CLEANUP,
    (S.RUN, "parent-fail"): S.CLEANUP,
    (S.RUN, "panic"): S.SHUTDOWN,
    (S.CLEANUP, "cleanup-success"): S.SHUTDOWN,
    (S.CLEANUP, "cleanup-none"): S.SHUTDOWN,
    (S.CLEANUP, "cleanup-fail"): S.SHUTDOWN,
    (S.SHUTDOWN, "children-complete"): S.FINALIZE,
    (S.SHUTDOWN, "children-none"): S.FINALIZE,
    (S.FINALIZE, "rc3-success"): S.GOODBYE,
    (S.FINALIZE, "rc3-none"): S.GOODBYE,
    (S.FINALIZE, "rc3-fail"): S.GOODBYE,
    (S.GOODBYE, "goodbye"): S.UNLOAD_BUILTINS,
    (S.UNLOAD_BUILTINS, "builtins-done"): S.EXIT,
    (S.UNLOAD_BUILTINS, "builtins-unload-fail"): S.EXIT,
}
"""What an event does in a state; an event without a line here changes nothing."""


def step(state: State, event: str) -> State:
    """The state after `event`."""
    return STEP.get((state, event), state)


EVENTS = frozenset(event for _, event in STEP)
"""All events that mean something in some state."""
