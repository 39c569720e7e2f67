"""Where modules come from: the built-in names, entry points of the group `flux.modules`, files."""

import os
import sys
from errno import EINVAL, ENOENT
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import NamedTuple

from flux.service.kit import Service

BUILT_IN = {
    "attr": "flux.modules.attr.service",
    "barrier": "flux.modules.barrier.service",
    "connector-local": "flux.modules.api.service",
    "content": "flux.modules.content.service",
    "content-files": "flux.modules.content_shelf.files",
    "content-memory": "flux.modules.content_memory.service",
    "content-s3": "flux.modules.content_shelf.s3",
    "content-sqlite": "flux.modules.content_sqlite.service",
    "groups": "flux.modules.groups.service",
    "heartbeat": "flux.modules.heartbeat.service",
    "job-exec": "flux.modules.job_exec.service",
    "job-info": "flux.modules.job_info.service",
    "job-ingest": "flux.modules.job_ingest.service",
    "job-list": "flux.modules.job_list.service",
    "job-manager": "flux.modules.job_manager.service",
    "kvs": "flux.modules.kvs.service",
    "kvs-watch": "flux.modules.kvs_watch.service",
    "live": "flux.modules.live.service",
    "log": "flux.modules.log.service",
    "modctl": "flux.modules.modctl.service",
    "module": "flux.modules.module.service",
    "multicast": "flux.modules.multicast.service",
    "reduce": "flux.modules.reduce.service",
    "resource": "flux.modules.resource.service",
    "rexec": "flux.modules.rexec.service",
    "sched-backfill": "flux.modules.sched.backfill",
    "sched-fifo": "flux.modules.sched.fifo",
    "sched-simple": "flux.modules.sched.simple",
    "seq": "flux.modules.seq.service",
    "stream": "flux.modules.stream.service",
    "wreck": "flux.modules.wreck.service",
}
"""Each name with the Python module that has its one Service."""

GROUP = "flux.modules"


class Found(NamedTuple):
    """A module's class, and where it is from."""

    service: type[Service]
    path: str


def find(name: str) -> Found:
    """Finds a module by path (with a slash or .py), built-in name or entry point.

    OSError: ENOENT, or EINVAL says why it is no module. What its code raises is passed on.
    """
    if "/" in name or name.endswith(".py"):
        return Found(_only_service(_from_file(name), name), name)
    if name in BUILT_IN:
        return _built_in(name)
    from importlib.metadata import entry_points  # costs as much as all of the broker: only who needs it pays

    for entry in entry_points(group=GROUP, name=name):
        return Found(_service(entry.load(), name, entry.value), entry.value)
    raise OSError(ENOENT, f"{name}: module not found")


@cache
def _built_in(name: str) -> Found:
    """Looked for once, before brokers are forked: to look through a Python module is to get one's own copy of it."""
    return Found(_only_service(import_module(BUILT_IN[name]), name), BUILT_IN[name])


def renamed(service: type[Service], name: str) -> type[Service]:
    """The same module under another name: its topics begin with that."""
    if not name or "." in name:
        raise OSError(EINVAL, f"'{name}' is no name for a module")
    return type(service.__name__, (service,), {"name": name, "__module__": service.__module__})


def _from_file(path: str) -> ModuleType:
    from importlib import util

    if not os.path.isfile(path):
        raise OSError(ENOENT, f"{path}: No such file or directory")
    name = f"flux_module_{os.path.splitext(os.path.basename(path))[0]}"
    spec = util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise OSError(EINVAL, f"{path}: is not a Python module")
    module = util.module_from_spec(spec)
    before = sys.modules.get(name)
    sys.modules[name] = module  # as `import` does it: dataclasses and others look themselves up
    try:
        spec.loader.exec_module(module)
    except BaseException:
        _restore(name, before)
        raise
    return module


def _restore(name: str, before: ModuleType | None) -> None:
    if before is None:
        del sys.modules[name]
    else:
        sys.modules[name] = before


def _service(target: object, name: str, where: str) -> type[Service]:
    """What an entry point leads to: a Service, or a Python module that has one."""
    if isinstance(target, ModuleType):
        return _only_service(target, name)
    if isinstance(target, type) and issubclass(target, Service):
        return target
    raise OSError(EINVAL, f"{name}: {where} is not a Service")


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
