"""The tables of a configuration that the broker and its own modules read, as values with their defaults."""

from math import inf
from typing import NamedTuple

from flux.base.config.table import Table
from flux.base.duration import exact_fsd

LONGEST = 2_000_000.0
"""Seconds that ZeroMQ can be told to wait, 23 days: it counts milliseconds in 31 bits."""
SHORTEST = 0.01
"""Seconds between two heartbeats, at least."""


class Access(NamedTuple):
    """Who may connect besides the owner (flux-config-access(5)). `private_mode` is for who shows jobs."""

    allow_guest_user: bool = False
    allow_root_owner: bool = False
    private_mode: bool = False
    admin_users: tuple[str, ...] = ()
    """Names of the users, and of the groups whose members, have the role admin."""
    admin_groups: tuple[str, ...] = ()


class Tbon(NamedTuple):
    """The tree (flux-config-tbon(5)); times in seconds. An empty `topo` leaves the choice to the way of booting."""

    topo: str = ""
    torpid_min: float = 5.0
    torpid_max: float = 30.0
    """inf: nobody is ever torpid."""
    tcp_user_timeout: float = 20.0
    connect_timeout: float = 30.0
    """0: what the system does, of both."""
    zmq_io_threads: int = 1
    child_rcvhwm: int = 0
    interface_hint: str = "default-route"


class Heartbeat(NamedTuple):
    """The heartbeat (flux-config-heartbeat(5)); seconds, seconds (inf: never), periods."""

    period: float = 2.0
    timeout: float = 300.0
    warn_thresh: int = 3


class Live(NamedTuple):
    """After how many heartbeats of silence a broker counts as slow, and as failed."""

    slow_idle: int = 3
    max_idle: int = 5


def access(table: Table) -> Access:
    """Reads `[access]`."""
    guest, root, private = (table.flag(name) for name in ("allow-guest-user", "allow-root-owner", "private-mode"))
    roles = table.table("roles")
    table.end()
    admin = roles.table("admin")
    roles.end()
    users, groups = admin.texts("users"), admin.texts("groups")
    admin.end()
    return Access(guest, root, private, users, groups)


def tbon(table: Table) -> Tbon:
    """Reads `[tbon]`; whether there is such a topology is for others to say."""
    default = Tbon()
    found = Tbon(
        table.text("topo"),
        table.seconds("torpid_min", default.torpid_min, least=0.001),
        table.seconds("torpid_max", default.torpid_max) or inf,
        table.seconds("tcp_user_timeout", default.tcp_user_timeout, most=LONGEST),
        table.seconds("connect_timeout", default.connect_timeout, most=LONGEST),
        table.number("zmq_io_threads", default.zmq_io_threads, 1, 1024),
        table.number("child_rcvhwm", default.child_rcvhwm, 0, 1 << 30),
        table.text("interface-hint", default.interface_hint),
    )
    if table.number("zmqdebug", 0, 0):
        table.refuse("zmqdebug", "is always 0 here: nothing traces the sockets")
    table.end()
    if found.child_rcvhwm == 1:
        table.refuse("child_rcvhwm", "must be 0 (no limit) or 2 or more, not 1")
    if not found.torpid_min < found.torpid_max:
        table.refuse("torpid_min", f"{exact_fsd(found.torpid_min)} is not less than torpid_max")
    return found


def heartbeat(table: Table) -> Heartbeat:
    """Reads `[heartbeat]`."""
    default = Heartbeat()
    period = table.seconds("period", default.period, least=SHORTEST, most=86400.0)
    found = Heartbeat(
        period,
        table.seconds("timeout", max(default.timeout, 2 * period)) or inf,
        table.number("warn_thresh", default.warn_thresh, 1),
    )
    table.end()
    if found.timeout < 2 * period:
        table.refuse("timeout", f"must be at least two periods of {exact_fsd(period)}, or 0 for never")
    return found


def live(table: Table) -> Live:
    """Reads `[live]`, which is ours alone."""
    default = Live()
    found = Live(table.number("slow-idle", default.slow_idle, 1), table.number("max-idle", default.max_idle, 2))
    table.end()
    if not found.slow_idle < found.max_idle:
        table.refuse("slow-idle", f"{found.slow_idle} is not less than max-idle, {found.max_idle}")
    return found
