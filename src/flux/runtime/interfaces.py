"""The address under which other hosts reach this one, by today's hints (tbon.interface-hint)."""

import socket
from contextlib import suppress
from errno import EINVAL
from ipaddress import ip_address, ip_network

from flux.runtime.linux import LINUX, interface_address

DEFAULT = "default-route"
LOOPBACK = "127.0.0.1"
GLOBAL = "00"
"""The scope of an IPv6 address that others may know."""


def address(hint: str = DEFAULT) -> str:
    """By "default-route", "hostname", the name of an interface, or a network (10.0.2.0/24). OSError(EINVAL).

    A host without a default route is known by the first address that is not its own loopback.
    """
    if hint == DEFAULT:
        return _default_route() or next((found for found in addresses() if not _is_loopback(found)), LOOPBACK)
    if hint == "hostname":
        return _by_hostname()
    if "/" in hint:
        return _in_network(hint)
    found = next(iter(addresses(hint)), "")
    if not found:
        raise OSError(EINVAL, f"tbon.interface-hint: no interface '{hint}' with an address")
    return found


def any_port(host: str) -> str:
    """Where to bind to some port of an address."""
    return f"tcp://[{host}]:*" if ":" in host else f"tcp://{host}:*"


def addresses(interface: str = "") -> list[str]:
    """The addresses of an interface, or of all, those of IPv4 first. None where the system does not say."""
    names = [interface] if interface else [name for _, name in socket.if_nameindex()]
    return [found for name in names if (found := interface_address(name))] + _ipv6(names)


def _default_route() -> str:
    for family, far in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((far, 9))  # connecting a datagram socket sends nothing
            return str(probe.getsockname()[0])
    return ""


def _is_loopback(found: str) -> bool:
    return ip_address(found).is_loopback


def _ipv6(names: list[str]) -> list[str]:
    found = []
    with suppress(OSError), open("/proc/net/if_inet6", encoding="ascii") as lines:
        for digits, _, _, scope, _, name in map(str.split, lines):
            if LINUX and scope == GLOBAL and name in names:
                found.append(socket.inet_ntop(socket.AF_INET6, bytes.fromhex(digits)))
    return found


def _by_hostname() -> str:
    try:
        return socket.gethostbyname(socket.gethostname())
    except OSError as error:
        raise OSError(EINVAL, f"tbon.interface-hint: {socket.gethostname()}: {error.strerror}") from None


def _in_network(hint: str) -> str:
    try:
        network = ip_network(hint, strict=False)
    except ValueError:
        raise OSError(EINVAL, f"tbon.interface-hint: '{hint}' is not a network") from None
    for found in addresses():
        if ip_address(found) in network:
            return found
    raise OSError(EINVAL, f"tbon.interface-hint: no interface has an address in {hint}")
