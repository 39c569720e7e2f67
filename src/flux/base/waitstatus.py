"""What wait(2) says of a process's end."""


def exit_code(status: int) -> int:
    """The exit code of a wait status, as shells count: 128 and the signal that ended it."""
    return 128 + (status & 127) if status & 127 else status >> 8
