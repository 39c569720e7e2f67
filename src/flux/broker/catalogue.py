"""Where modules come from: the built-in names, entry points of the group `flux.modules`, files."""

from errno import EINVAL, ENOENT
from importlib import import_module, util
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from flux.service.kit import Service

BUILT_IN = {
    "attr": "flux.modules.attr.service",
    "barrier": "flux.modules.barrier.service",
    "connector-local": "flux.modules.api.service",
    "content": "flux.modules.content.service",
    "content-memory": "flux.modules.content_memory.service",
    "groups": "flux.modules.groups.service",
    "heartbeat": "flux.modules.heartbeat.service",
    "kvs": "flux.modules.kvs.service",
    "log": "flux.modules.log.service",
    "module": "flux.modules.module.service",
    "rexec": "flux.modules.rexec.service",
    "wreck": "flux.modules.wreck.service",
}
"""Each name with the Python module that has its one Service."""

GROUP = "flux.modules"


class Found(NamedTuple):
    """A module's class, and where it is from."""

    service: type[Service]
    path: str


def find(name: str) -> Found:
    """Finds a module by path (a slash or .py), built-in name or entry point. OSError: ENOENT, or EINVAL says why."""
    if "/" in name or name.endswith(".py"):
        return Found(_only_service(_from_file(name), name), name)
    if name in BUILT_IN:
        return Found(_only_service(import_module(BUILT_IN[name]), name), BUILT_IN[name])
    from importlib.metadata import entry_points  # costs as much as all of the broker: only who needs it pays

    for entry in entry_points(group=GROUP, name=name):
        target = entry.load()
        service = target if isinstance(target, type) else _only_service(target, name)
        if not issubclass(service, Service):
            raise OSError(EINVAL, f"{name}: {entry.value} is not a Service")
        return Found(service, entry.value)
    raise OSError(ENOENT, f"{name}: module not found")


def _from_file(path: str) -> ModuleType:
    if not Path(path).is_file():
        raise OSError(ENOENT, f"{path}: No such file or directory")
    spec = util.spec_from_file_location(f"flux_module_{Path(path).stem}", path)
    if spec is None or spec.loader is None:
        raise OSError(EINVAL, f"{path}: not a Python module")
    module = util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise OSError(EINVAL, f"{path}: {type(error).__name__}: {error}") from None
    return module


def _only_service(module: ModuleType, name: str) -> type[Service]:
    """The one Service that a Python module defines."""
    own = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Service) and value.__module__ == module.__name__
    ]
    if len(own) != 1:
        raise OSError(EINVAL, f"{name}: defines {len(own) or 'no'} Service classes, one is needed")
    return own[0]
