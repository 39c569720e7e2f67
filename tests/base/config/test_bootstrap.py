"""Who makes up a session, by configuration."""

import pytest

from flux.base.config import Bootstrap, Host, event_end, from_toml, joined

HEAD = '[bootstrap]\ncurve_cert = "/c"\n'


def read(text: str) -> Bootstrap:
    return joined(from_toml(text, "a.toml")).bootstrap


def test_hostlists_are_expanded_and_tokens_replaced() -> None:
    found = read(
        HEAD + 'default_port = 8050\ndefault_bind = "tcp://en0:%p"\ndefault_connect = "tcp://e%h:%p"\nhosts = [\n'
        '  { host = "test0", bind = "tcp://en4:9001", connect = "tcp://test-mgmt:9001" },\n'
        '  { host = "test[1-255]" },\n]'
    )
    assert found.size == 256
    assert found.hosts[0] == Host("test0", "tcp://en4:9001", "tcp://test-mgmt:9001")
    assert found.hosts[255] == Host("test255", "tcp://en0:8050", "tcp://etest255:8050")
    assert (found.rank("test7"), found.rank("test256")) == (7, None)
    assert (found.curve_cert, found.enable_ipv6, found.parents()) == ("/c", False, {})


def test_a_host_that_comes_twice_adds_what_was_not_said() -> None:
    found = read(
        HEAD + '[[bootstrap.hosts]]\nhost = "t[0-5]"\nbind = "ipc:///a/%h"\n[[bootstrap.hosts]]\nhost = "t[1,3]"\n'
        'parent = "t0"\nbind = "ipc:///b"\n[[bootstrap.hosts]]\nhost = "t[4-5]"\nparent = "t3"\nconnect = "ipc:///%h%%h%x"\n'
    )
    assert [host.host for host in found.hosts] == ["t0", "t1", "t2", "t3", "t4", "t5"]
    assert found.hosts[1] == Host("t1", "ipc:///a/t1", "", "t0")
    assert found.hosts[4].connect == "ipc:///t4%h%x"
    assert found.parents() == {1: 0, 3: 0, 4: 3, 5: 3}


@pytest.mark.parametrize("text", ["[bootstrap]", "[bootstrap]\nhosts = []"])
def test_without_hosts_there_is_one_broker(text: str) -> None:
    assert (read(text).size, read(text).rank("anything"), read(text).parents()) == (1, None, {})


def test_one_host_needs_no_certificate() -> None:
    assert read('[bootstrap]\nhosts = [{ host = "a" }]\nenable_ipv6 = true').enable_ipv6


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[bootstrap]\nhosts = 42", "a.toml:2: bootstrap.hosts: must be an array, not an integer"),
        ("[bootstrap]\nhosts = [\n42]", "a.toml:2: bootstrap.hosts[0]: must be a table, not an integer"),
        ("[bootstrap]\nhosts = [{}]", "a.toml:2: bootstrap.hosts[0].host: is missing"),
        ("[bootstrap]\nport = 1", "a.toml:2: bootstrap.port: unknown key (known: default_port, default_bind, "),
        ("[bootstrap]\ndefault_port = 65536", "a.toml:2: bootstrap.default_port: must be 0 to 65535, not 65536"),
        ('[bootstrap]\nhosts = [{ host = "a[0-1]" }]', "a.toml:1: bootstrap.curve_cert: is needed by more than one"),
    ],
)
def test_a_table_that_does_not_fit_is_named(text: str, reason: str) -> None:
    with pytest.raises(OSError) as refused:
        read(text)
    assert str(refused.value.strerror).startswith(reason)


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ('host = "x"\nextra = 1', "5: bootstrap.hosts[0].extra: unknown key (known: host, bind, connect, parent)"),
        ('host = "x[0-254}"', "4: bootstrap.hosts[0].host: Invalid hostlist: 'x[0-254}'"),
        ('host = "-x"', "4: bootstrap.hosts[0].host: '-x' is not the name of a host"),
        ('host = "a..b"', "4: bootstrap.hosts[0].host: 'a..b' is not the name of a host"),
        ('host = "x"\nparent = "y"', "5: bootstrap.hosts[0].parent: there is no host 'y'"),
        ('host = "x"\nparent = "x"', "5: bootstrap.hosts[0].parent: x cannot be its own parent"),
        ('host = "x[0-1]"\nparent = "x1"', "5: bootstrap.hosts[0].parent: x0 is rank 0, which has no parent"),
        ('host = "x"\nbind = "tcp://a"', "5: bootstrap.hosts[0].bind: 'tcp://a' is not tcp://ADDRESS:PORT with a port"),
        ('host = "x"\nbind = "tcp://a:*"', "5: bootstrap.hosts[0].bind: 'tcp://a:*' is not tcp://ADDRESS:PORT"),
        ('host = "x"\nbind = "tcp://a:65535"', "5: bootstrap.hosts[0].bind: 'tcp://a:65535' is not tcp://ADDRESS:PORT"),
        ('host = "x"\nconnect = "udp://a:1"', "5: bootstrap.hosts[0].connect: 'udp://a:1' is neither tcp://ADDRESS:PO"),
        (
            'host = "x"\nconnect = "ipc://"',
            "5: bootstrap.hosts[0].connect: 'ipc://' must have a path of 1 to 100 bytes",
        ),
        ('host = "x"\nconnect = "tcp://%h:%p"', "5: bootstrap.hosts[0].connect: has %p, but there is no default_port"),
    ],
)
def test_an_entry_that_does_not_fit_is_named(entry: str, reason: str) -> None:
    with pytest.raises(OSError) as refused:
        read(HEAD + "[[bootstrap.hosts]]\n" + entry)
    assert str(refused.value.strerror).startswith(f"a.toml:{reason}")


def test_events_have_an_endpoint_of_their_own_beside_the_trees() -> None:
    assert event_end("tcp://[::1]:9001") == "tcp://[::1]:9002"
    assert event_end("ipc:///run/x") == "ipc:///run/x-event"


def test_brokers_of_one_address_need_ports_that_are_not_neighbours() -> None:
    def ports(first: int, second: int) -> str:
        ends = [f'{{ host = "h{n}", connect = "tcp://a:{port}" }}' for n, port in enumerate((first, second))]
        return f"{HEAD}hosts = [{', '.join(ends)}]"

    assert read(ports(9001, 9003)).size == 2
    for second in (9000, 9001, 9002):
        with pytest.raises(OSError, match="h1 and h0 both need tcp://a:900"):
            read(ports(9001, second))
