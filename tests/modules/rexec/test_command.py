from errno import EINVAL, EPROTO
from typing import Any

import pytest

from flux.modules.rexec.command import command


def given(**changes: Any) -> dict[str, Any]:
    return {"cmdline": ["true"], "env": {}, "opts": {}, "channels": []} | changes


def test_what_a_client_does_not_say_is_the_brokers() -> None:
    found = command(given())
    assert (found.cwd, found.label) == (None, None)
    assert found.environment({"A": "1"}, "local:///x") == {"A": "1", "FLUX_URI": "local:///x"}


def test_an_environment_of_its_own_replaces_the_brokers() -> None:
    found = command(given(env={"B": "2", "FLUX_URI": "ssh://elsewhere", "NOTIFY_SOCKET": "s"}))
    assert found.environment({"A": "1"}, "local:///x") == {"B": "2", "FLUX_URI": "local:///x"}


@pytest.mark.parametrize(
    "data",
    [
        {},
        given(cmdline=[]),
        given(cmdline="true"),
        given(cmdline=[1]),
        given(env={"A": 1}),
        given(channels="SIDE"),
        given(label=""),
    ],
)
def test_a_command_that_is_none_is_a_protocol_error(data: dict[str, Any]) -> None:
    with pytest.raises(OSError, match="command") as refusal:
        command(data)
    assert refusal.value.errno == EPROTO


def test_message_channels_are_refused() -> None:
    with pytest.raises(OSError, match="message channels"):
        command(given(msgchan=[{"name": "A", "uri": "fd://1"}]))


@pytest.mark.parametrize(("text", "size"), [("4096", 4096), ("64k", 65536), ("1.5M", 3 << 19), ("1G", 1 << 30)])
def test_a_buffer_size_may_have_a_unit(text: str, size: int) -> None:
    assert command(given(opts={"stdin_BUFSIZE": text})).buffer_size("stdin") == size


@pytest.mark.parametrize("text", ["", "0", "-1", "many", "4x", "k", "nan", "inf"])
def test_a_buffer_size_that_is_none_is_named(text: str) -> None:
    with pytest.raises(OSError, match="stdin_BUFSIZE") as refusal:
        command(given(opts={"stdin_BUFSIZE": text})).buffer_size("stdin")
    assert refusal.value.errno == EINVAL


def test_output_comes_in_lines_unless_asked_otherwise() -> None:
    found = command(given(opts={"stderr_LINE_BUFFER": "False", "SIDE_LINE_BUFFER": "no"}))
    assert found.line_buffered("stdout")
    assert not found.line_buffered("stderr")
    with pytest.raises(OSError, match="SIDE_LINE_BUFFER"):
        found.line_buffered("SIDE")


def test_a_list_shows_the_subcommand_of_flux() -> None:
    assert command(given(cmdline=["flux", "kvs", "get"])).name == "flux kvs"
    assert command(given(cmdline=["flux"])).name == "flux"
    assert command(given(cmdline=["/bin/sleep", "1"])).name == "/bin/sleep"
    assert command(given(cmdline=["/bin/sleep", "1"])).log_name(7) == "sleep[7]"
    assert command(given(label="nap")).log_name(7) == "nap[7]"
