"""What the attributes are unless -S says otherwise, and what -S may not say."""

from errno import EINVAL, EPERM

CHANGEABLE = {
    "tbon.prefertcp": "0",
    "broker.rc2_none": "0",
    "broker.quorum": "",
}

METHODS = ("config", "simple", "single")
"""How brokers find each other: by the configuration, by PMI-1, not at all."""

FACTS = frozenset(
    (
        *("rank", "size", "version", "hostlist", "local-uri", "parent-uri", "instance-level", "jobid", "jobid-path"),
        *("broker.pid", "broker.uuid", "broker.starttime", "broker.mapping", "config.path"),
        *("tbon.level", "tbon.maxlevel", "tbon.descendants", "tbon.endpoint", "tbon.parent-endpoint"),
    )
)
"""Attributes that say how things are: nobody sets them."""


def check(name: str, value: str, size: int) -> None:
    """Refuses what -S may not say; OSError names it: EPERM for a fact, EINVAL for a value that cannot be."""
    if name in FACTS:
        raise OSError(EPERM, f"-S {name}: this attribute says how things are, it cannot be set")
    if name == "broker.quorum" and value and not (value.isdecimal() and 1 <= int(value) <= size):
        raise OSError(EINVAL, f"-S broker.quorum: '{value}' is not a number from 1 to the size, {size}")
    if name == "broker.boot-method" and value not in METHODS:
        raise OSError(EINVAL, f"-S broker.boot-method: '{value}' is not one of {', '.join(METHODS)}")
