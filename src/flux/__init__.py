"""Flux, the resource manager framework.

`flux.Flux()` connects to the session around the program. Submodules are imported when they are first named.
"""

import sys
from os import getcwd
from os.path import isdir, join

TYPE_CHECKING = False  # as in `typing`, which takes longer to import than all of this
if TYPE_CHECKING:
    from flux.core.handle import Flux

__all__ = ["Flux", "constants", "core", "future", "message", "rpc"]


def _here() -> str:
    try:
        return getcwd()
    except OSError:  # it is gone, and nothing is in it
        return ""


# What pkgutil.extend_path does, without its imports: other distributions may add flux.<name>.
__path__ += [path for entry in sys.path if isdir(path := join(entry or _here(), "flux")) and path not in __path__]


def __getattr__(name: str) -> object:
    if name == "Flux":
        from flux.core.handle import Flux

        return Flux
    if not name.startswith("_"):
        from importlib import import_module

        try:
            return import_module(f"flux.{name}")
        except ModuleNotFoundError as error:
            if error.name != f"flux.{name}":
                raise
    raise AttributeError(f"module 'flux' has no attribute '{name}'")
