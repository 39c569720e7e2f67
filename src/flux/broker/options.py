"""What a broker is told on its command line."""

from typing import NamedTuple


class BrokerOptions(NamedTuple):
    """Attributes set with -S, how often -v was given, and the initial program (empty: an interactive shell)."""

    attributes: dict[str, str]
    verbose: int = 0
    command: tuple[str, ...] = ()
