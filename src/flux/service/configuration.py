"""The configuration that is in force on a broker, and the one that is about to be (the port `config`)."""

from collections.abc import Callable
from typing import Any

from flux.base.config import Config


class Configuration:
    """What services find the configuration by; only the service `config` changes it."""

    def __init__(self, current: Config | None = None, read: Callable[[], Config] | None = None) -> None:
        self.current = current or Config()
        self.read: Callable[[], Config] = read or (lambda: self.current)
        """Reads it anew from where it is from. OSError says what is wrong there."""
        self.coming: Config | None = None
        """What is tried just now: it knows from which files it is."""

    def of(self, values: dict[str, Any]) -> Config:
        """The configuration with these values."""
        for known in (self.coming, self.current):
            if known is not None and known.values == values:
                return known
        return Config(values)
