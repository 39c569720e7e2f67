"""`flux --parent` and `flux --root`: from an instance to the one that it runs in."""

import os
from errno import ENOENT
from itertools import count

from flux.core.handle import Flux


def enter(levels: int | None) -> None:
    """Makes an enclosing instance the one of this process and what it starts; None goes to the outermost one."""
    for _ in count() if levels is None else range(levels):
        with Flux() as handle:
            parent = _attribute(handle, "parent-uri")
            namespace = _attribute(handle, "parent-kvs-namespace")
        if not parent:
            return
        os.environ["FLUX_URI"] = parent
        os.environ.pop("FLUX_KVS_NAMESPACE", None)
        if namespace:
            os.environ["FLUX_KVS_NAMESPACE"] = namespace


def _attribute(handle: Flux, name: str) -> str:
    try:
        return handle.attr_get(name)
    except OSError as error:
        if error.errno != ENOENT:
            raise
        return ""
