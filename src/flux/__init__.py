"""Flux, the resource manager framework.

`flux.Flux()` connects to the session around the program. Submodules are imported when they are first named.
"""

import os
import sys
from importlib import import_module

TYPE_CHECKING = False  # as in `typing`, which takes longer to import than all of this
if TYPE_CHECKING:
    from flux.core.handle import Flux

__all__ = ["Flux", "constants", "core", "future", "message", "rpc"]


def _portions() -> list[str]:
    """Where other distributions have put their parts of this package, as pkgutil.extend_path finds them, but faster."""
    paths = [os.path.join(entry or os.getcwd(), __name__) for entry in sys.path if isinstance(entry, str)]
    return [path for path in dict.fromkeys(paths) if path not in __path__ and os.path.isdir(path)]


__path__ += _portions()


def __getattr__(name: str) -> object:
    if name == "Flux":
        from flux.core.handle import Flux

        return Flux
    if not name.startswith("_"):
        try:
            return import_module(f"{__name__}.{name}")
        except ModuleNotFoundError as error:
            if error.name != f"{__name__}.{name}":
                raise
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
