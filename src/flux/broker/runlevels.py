"""What is loaded where: the broker's own modules, then run level 1, which is a table."""

from collections.abc import Callable

from flux.base.modprobe import Entry, Facts
from flux.runtime import modprobe

BACKING = "content.backing-module"
"""The attribute that says which module provides content-backing, or "none"."""
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

    table = modprobe.table()
    if there(BACKING):
        try:
            table = table.choosing("content-backing", attribute(BACKING))
        except OSError as error:
            raise OSError(error.errno, f"{BACKING}: {error.strerror}") from None
    return table.enabled(Facts(attr=there, env=modprobe.env))
