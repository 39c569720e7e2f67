"""Where this Flux has its parts: what `flux config builtin` shows. What flux-core builds and we do not is named."""

import os
import sys
from errno import EINVAL

ABSENT = {
    "rc1_path": "modules are loaded by the broker itself",
    "rc3_path": "modules are unloaded by the broker itself",
    "shell_path": "the job shell is part of the broker",
    "shell_pluginpath": "the job shell has no plug-ins in C",
    "shell_initrc": "the job shell has no initrc",
    "jobtap_pluginpath": "there are no plug-ins in C",
    "lua_cpath_add": "there is no Lua module",
    "lua_path_add": "there is no Lua module",
    "connector_path": "connectors are not loaded",
    "module_path": "modules are found by name, entry point or file",
    "pmi_library_path": "there is no PMI library",
    "no_docs_path": "help needs no documents",
    "cmdhelp_pattern": "help needs no documents",
}


def value(name: str) -> str:
    """A path by its name. OSError(EINVAL) says why there is none."""
    found = {
        "confdir": os.path.join(_system(), "flux"),
        "rundir": "/run/flux",
        "libexecdir": os.path.join(sys.prefix, "libexec", "flux"),
        "exec_path": command_directory(),
        "python_path": os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))),
        "man_path": os.path.join(sys.prefix, "share", "man"),
    }
    if name in found:
        return found[name]
    if name in ABSENT:
        raise OSError(EINVAL, f"{name} has no counterpart here: {ABSENT[name]}")
    raise OSError(EINVAL, f"{name} is invalid")


def command_directory() -> str:
    """Where the `flux` command of this installation is."""
    named = os.path.abspath(sys.argv[0])
    if os.path.basename(named) == "flux" and os.access(named, os.X_OK):
        return os.path.dirname(named)
    return os.path.dirname(sys.executable)


def _system() -> str:
    """Where configurations are: /etc, unless we are installed somewhere of our own."""
    return "/etc" if sys.prefix in ("/usr", "/usr/local") else os.path.join(sys.prefix, "etc")
