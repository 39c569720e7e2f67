"""The address under which other hosts reach this one, by today's hints (tbon.interface-hint)."""

import socket
from contextlib import suppress
from errno import EINVAL
from ipaddress import IPv4Network

from flux.runtime.linux import interface_address

DEFAULT = "default-route"


def address(hint: str = DEFAULT) -> str:
    """By "default-route", "hostname", the name of an interface, or a network (10.0.2.0/24). OSError(EINVAL)."""
    if hint == DEFAULT:
        return _default_route()
    if hint == "hostname":
        return _by_hostname()
    if "/" in hint:
        return _in_network(hint)
    found = interface_address(hint)
    if not found:
        raise OSError(EINVAL, f"tbon.interface-hint: no interface '{hint}' with an IPv4 address")
    return found


def _default_route() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, suppress(OSError):
        probe.connect(("192.0.2.1", 9))  # connecting a datagram socket sends nothing
        return str(probe.getsockname()[0])
    found = (interface_address(name) for _, name in socket.if_nameindex())
    return next((address for address in found if address and not address.startswith("127.")), "127.0.0.1")


def _by_hostname() -> str:
    try:
        return socket.gethostbyname(socket.gethostname())
    except OSError as error:
        raise OSError(EINVAL, f"tbon.interface-hint: {socket.gethostname()}: {error.strerror}") from None


def _in_network(hint: str) -> str:
    try:
        network = IPv4Network(hint, strict=False)
    except ValueError:
        raise OSError(EINVAL, f"tbon.interface-hint: '{hint}' is not an IPv4 network") from None
    for _, name in socket.if_nameindex():
        found = interface_address(name)
        if found and IPv4Network(found).subnet_of(network):
            return found
    raise OSError(EINVAL, f"tbon.interface-hint: no interface has an address in {hint}")
