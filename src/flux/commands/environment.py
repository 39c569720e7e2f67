"""What commands, and what they start, find in their environment: this `flux` first in PATH, and where plug-ins are."""

import os
import sys
from collections.abc import Iterable, Mapping

SEARCHED = ("FLUX_EXEC_PATH", "FLUX_MODULE_PATH", "FLUX_CONNECTOR_PATH", "PYTHONPATH")
"""Search paths that FLUX_..._PREPEND variables put something in front of."""
TIDIED = ("FLUX_RC_EXTRA", "FLUX_SHELL_RC_PATH")
"""Search paths that are only freed of repetitions."""
DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin"


def flux_directory() -> str:
    """Where the `flux` command is."""
    called = sys.argv[0] if sys.argv else ""
    if os.path.basename(called) == "flux" and os.sep in called:
        return os.path.dirname(os.path.abspath(called))
    return os.path.dirname(sys.executable)


def settings(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that commands get, as far as they have a value."""
    found = {"PATH": with_first(environ.get("PATH") or DEFAULT_PATH, flux_directory())}
    for name in SEARCHED:
        prefix = "FLUX_" if not name.startswith("FLUX_") else ""
        found[name] = joined([environ.get(f"{prefix}{name}_PREPEND", ""), environ.get(name, "")])
    found["FLUX_EXEC_PATH"] = joined([found["FLUX_EXEC_PATH"], flux_directory()])
    found |= {name: joined([environ.get(name, "")]) for name in TIDIED}
    found["FLUX_URI"] = environ.get("FLUX_URI", "")
    return {name: value for name, value in found.items() if value}


def listing(environ: Mapping[str, str]) -> str:
    """The same, with a line for each that has a value."""
    return "\n".join(f"{name}={value}" for name, value in settings(environ).items())


def joined(paths: Iterable[str]) -> str:
    """Search paths as one, each directory once."""
    return ":".join(dict.fromkeys(entry for path in paths for entry in path.split(":") if entry))


def with_first(path: str, own: str) -> str:
    """The PATH in which `flux` is the one in the directory `own`; nothing is moved further forward than that needs."""
    entries = path.split(":")
    for index, entry in enumerate(entries):
        if entry == own:
            return path
        if os.access(f"{entry}/flux", os.X_OK):
            return path if os.path.samefile(entry or ".", own) else ":".join([*entries[:index], own, *entries[index:]])
    return ":".join([*entries, own])
