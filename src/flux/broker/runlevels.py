"""What is loaded where: the broker's own modules, then run level 1, which is a table."""

from collections.abc import Callable

from flux.base.modprobe import Entry, Facts
from flux.runtime import modprobe

BUILTINS = ("log", "attr", "module", "groups", "multicast", "connector-local")
"""Loaded first and unloaded last."""


def rc1(attribute: Callable[[str], str]) -> list[Entry]:
    """The modules of run level 1, on whatever rank, in order. OSError says what is wrong with the site's tables."""

    def there(name: str) -> bool:
        try:
            attribute(name)
        except OSError:
            return False
        return True

    return modprobe.table().enabled(Facts(attr=there, env=modprobe.env))
