"""Who makes up a session and where each of them listens (flux-config-bootstrap(5)), with nobody to ask."""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from flux.base.config.table import Table
from flux.base.hostlist import Hostlist

LONGEST_NAME, LONGEST_PATH = 253, 100
"""Characters of a host's name, and of the path of a socket."""
ENDS = ("bind", "connect")

_label = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)")
_tcp = re.compile(r"tcp://(.+):([0-9]+)")
_token = re.compile(r"%(.)")


class Host(NamedTuple):
    """One broker: its host's name, where it listens, where others find it, and its parent's host ("" for rank 0)."""

    host: str
    bind: str = ""
    connect: str = ""
    parent: str = ""


class Bootstrap(NamedTuple):
    """The hosts by rank. With none of them the session is the one broker that asks."""

    hosts: tuple[Host, ...] = ()
    curve_cert: str = ""
    enable_ipv6: bool = False

    @property
    def size(self) -> int:
        """How many brokers there are."""
        return max(1, len(self.hosts))

    def rank(self, hostname: str) -> int | None:
        """The rank of a host, if it is one of ours."""
        return next((rank for rank, host in enumerate(self.hosts) if host.host == hostname), None)

    def parents(self) -> Mapping[int, int]:
        """The parents that are said, by rank."""
        ranks = {host.host: rank for rank, host in enumerate(self.hosts)}
        return {ranks[host.host]: ranks[host.parent] for host in self.hosts if host.parent}


def bootstrap(table: Table) -> Bootstrap:
    """Reads `[bootstrap]`."""
    port = table.number("default_port", -1, 0, 65535)
    defaults = {end: table.text(f"default_{end}") for end in ENDS}
    ipv6, cert = table.flag("enable_ipv6"), table.text("curve_cert")
    entries = _entries(table)
    table.end()
    hosts = tuple(_host(name, said, entries, defaults, port) for name, said in entries.items())
    if len(hosts) > 1 and not cert:
        table.refuse("curve_cert", "is needed by more than one host (`flux keygen` makes one)")
    _check_ports(hosts, entries)
    return Bootstrap(hosts, cert, ipv6)


class _Said(NamedTuple):
    """What is said of a host, and the entry that says it, by key."""

    values: dict[str, str]
    tables: dict[str, Table]


Entries = dict[str, _Said]


def _entries(table: Table) -> Entries:
    """What is said of each host; a host that comes twice adds what was not said the first time."""
    entries: Entries = {}
    for entry in table.tables("hosts"):
        values = {key: entry.text(key) for key in ("host", *ENDS, "parent")}
        entry.end()
        for name in _names(entry, values.pop("host")):
            said = entries.setdefault(name, _Said({}, {"host": entry}))
            for key, value in values.items():
                if value and key not in said.values:
                    said.values[key], said.tables[key] = value, entry
    return entries


def _names(entry: Table, text: str) -> Iterator[str]:
    try:
        names = Hostlist(text)
    except ValueError as error:
        entry.refuse("host", str(error))
    if not names:
        entry.refuse("host", "is missing")
    for name in names:
        if len(name) > LONGEST_NAME or not all(_label.fullmatch(label) for label in name.split(".")):
            entry.refuse("host", f"'{name}' is not the name of a host")
        yield name


def _host(name: str, said: _Said, entries: Entries, defaults: dict[str, str], port: int) -> Host:
    bind, connect = (_end(name, said, key, defaults[key], port) for key in ENDS)
    parent = said.values.get("parent", "")
    if parent == name:
        said.tables["parent"].refuse("parent", f"{name} cannot be its own parent")
    if parent and parent not in entries:
        said.tables["parent"].refuse("parent", f"there is no host '{parent}'")
    if parent and name == next(iter(entries)):
        said.tables["parent"].refuse("parent", f"{name} is rank 0, which has no parent")
    return Host(name, bind, connect, parent)


def _end(name: str, said: _Said, key: str, default: str, port: int) -> str:
    """An endpoint with its tokens replaced, and checked."""
    table = said.tables.get(key, said.tables["host"])

    def token(match: re.Match[str]) -> str:
        if match[1] == "p" and port < 0:
            table.refuse(key, "has %p, but there is no default_port")
        return {"h": name, "p": str(port), "%": "%"}.get(match[1], match[0])

    uri = _token.sub(token, said.values.get(key, default))
    reason = _objection(uri) if uri else ""
    if reason:
        table.refuse(key, f"'{uri}' {reason}")
    return uri


def _objection(uri: str) -> str:
    if uri.startswith("ipc://"):
        return "" if 0 < len(uri.encode()) - 6 <= LONGEST_PATH else f"must have a path of 1 to {LONGEST_PATH} bytes"
    if not uri.startswith("tcp://"):
        return "is neither tcp://ADDRESS:PORT nor ipc://PATH"
    found = _tcp.fullmatch(uri)
    if found is None or not 0 < int(found[2]) < 65535:
        return "is not tcp://ADDRESS:PORT with a port from 1 to 65534"
    return ""


def event_end(uri: str) -> str:
    """Where the broker that has the tree at `uri` has the events: one port further, or one path."""
    found = _tcp.fullmatch(uri)
    return f"tcp://{found[1]}:{int(found[2]) + 1}" if found else f"{uri}-event"


def _check_ports(hosts: tuple[Host, ...], entries: Entries) -> None:
    """Two brokers cannot share a port of one address; each has two."""
    taken: dict[str, str] = {}
    for host in hosts:
        for uri in (host.connect, event_end(host.connect)) if host.connect else ():
            if uri in taken:
                said = entries[host.host]
                table = said.tables.get("connect", said.tables["host"])
                table.refuse("connect", f"{host.host} and {taken[uri]} both need {uri} (events take the next port)")
            taken[uri] = host.host
