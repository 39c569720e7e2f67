"""The address under which other hosts reach this one."""

from ipaddress import ip_address

import pytest

from flux.runtime.interfaces import address, any_port
from flux.runtime.linux import LINUX


def test_the_default_route_has_an_address() -> None:
    assert ip_address(address())


@pytest.mark.skipif(not LINUX, reason="only Linux says which address an interface has")
@pytest.mark.parametrize("hint", ["lo", "127.0.0.0/8", "127.0.0.1/32"])
def test_an_interface_is_found_by_name_and_by_network(hint: str) -> None:
    assert address(hint) == "127.0.0.1"


@pytest.mark.parametrize(
    ("hint", "reason"),
    [
        ("nosuch0", "no interface 'nosuch0' with an address"),
        ("203.0.113.0/24", "no interface has an address in 203.0.113.0/24"),
        ("2001:db8::/32", "no interface has an address in 2001:db8::/32"),
        ("x/8", "'x/8' is not a network"),
        ("10.0.0.0/99", "'10.0.0.0/99' is not a network"),
    ],
)
def test_what_is_not_there_is_named(hint: str, reason: str) -> None:
    with pytest.raises(OSError, match=f"tbon.interface-hint: {reason}"):
        address(hint)


def test_an_address_of_ipv6_is_bracketed() -> None:
    assert any_port("10.0.0.1") == "tcp://10.0.0.1:*"
    assert any_port("fd00::1") == "tcp://[fd00::1]:*"
