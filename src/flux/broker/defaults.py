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
        *("security.owner", "parent-kvs-namespace"),
        *("broker.pid", "broker.uuid", "broker.starttime", "broker.mapping", "config.path"),
        *("tbon.level", "tbon.maxlevel", "tbon.descendants", "tbon.endpoint", "tbon.parent-endpoint"),
    )
)
"""Attributes that say how things are: nobody sets them."""

OURS = frozenset(
    (
        *CHANGEABLE,
        *("hostname", "rundir", "rundir-cleanup", "broker.boot-method", "content.backing-module", "content.hash"),
        *("tbon.topo", "tbon.fanout", "tbon.zmqdebug", "tbon.zmq_io_threads", "tbon.child_rcvhwm"),
        *("tbon.interface-hint", "tbon.torpid_min", "tbon.torpid_max", "tbon.tcp_user_timeout", "tbon.connect_timeout"),
        *("log-ring-size", "log-forward-level", "log-critical-level", "log-filename", "log-level", "log-stderr-level"),
        *("log-stderr-mode", "log-syslog-enable", "log-syslog-level"),
        *("access.allow-guest-user", "access.allow-root-owner", "heartbeat.period", "wreck.patience"),
        *("live.slow-idle", "live.max-idle"),
        *("content.cache-limit", "content.blob-size-limit", "content.dirty-limit", "content.memory-limit"),
        "content.purge-old-entry",
        "kvs.cache-limit",
    )
)
"""Attributes that somebody here reads."""

OTHERS = frozenset(
    (
        *("statedir", "statedir-cleanup", "content.dump", "content.restore", "cron.directory"),
        *("conf.shell_initrc", "conf.shell_pluginpath", "broker.rc1_path", "broker.rc3_path", "broker.rc2_pgrp"),
        *("broker.critical-ranks", "broker.quorum-warn", "broker.shutdown-warn", "broker.shutdown-timeout"),
        *("broker.cleanup-timeout", "broker.unload-builtins-timeout", "broker.exit-restart", "broker.exit-norestart"),
        *("broker.module-nopanic", "broker.sd-notify", "broker.sd-stop-timeout", "broker.recovery-mode"),
    )
)
"""Attributes of flux-broker-attributes(7) that nobody here reads: who sets them does so for other brokers as well."""

FREE = ("vendor.", "test.", "test-nr.", "test-im.", "test-rd.")
"""What begins like that means something to somebody else."""


def check(name: str, value: str, size: int) -> None:
    """Refuses what -S may not say; OSError names it: EPERM for a fact, EINVAL for a name that nobody
    knows and for a value that cannot be."""
    if name in FACTS:
        raise OSError(EPERM, f"-S {name}: this attribute says how things are, it cannot be set")
    if name not in OURS | OTHERS and not name.startswith(FREE):
        raise OSError(EINVAL, f"-S {name}: unknown attribute{_meant(name)}")
    if name == "broker.quorum" and value and not (value.isdecimal() and 1 <= int(value) <= size):
        raise OSError(EINVAL, f"-S broker.quorum: '{value}' is not a number from 1 to the size, {size}")
    if name == "broker.boot-method" and value not in METHODS:
        raise OSError(EINVAL, f"-S broker.boot-method: '{value}' is not one of {', '.join(METHODS)}")


def _meant(name: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, sorted(OURS), n=1)
    return f"; did you mean {near[0]}?" if near else "; one of your own begins with vendor."
