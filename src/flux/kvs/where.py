"""Which namespace is meant."""

from os import environ

PRIMARY = "primary"


def namespace_or_default(namespace: str | None) -> str:
    """The namespace that is meant: the given one, that of the environment, or the primary one."""
    return namespace or environ.get("FLUX_KVS_NAMESPACE") or PRIMARY


def prefix(path: str) -> str:
    """What goes before a name in a directory."""
    return "" if not path or path == "." else path if path.endswith(".") else path + "."
