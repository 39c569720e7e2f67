"""What all commands have in common: help with examples, and complaints in one line."""

import re
from importlib import import_module
from typing import Any

import pytest

from flux.commands import parser
from flux.commands.table import COMMANDS, module_name
from tests.session import flux

SESSIONLESS = {"help", "version", "env", "python", "start", "broker", "keygen"}
"""Commands that do without a session."""
ARGUMENTS = {
    "ping": ["0"],
    "getattr": ["size"],
    "setattr": ["a", "b"],
    "module": ["list"],
    "modctl": ["status"],
    "modprobe": ["load", "kvs"],
    "logger": ["x"],
    "event": ["pub", "x"],
    "barrier": ["x"],
    "kvs": ["get", "x"],
    "run": ["true"],
    "submit": ["true"],
    "bulksubmit": ["true", ":::", "x"],
    "watch": ["1"],
    "pgrep": ["x"],
    "pkill": ["x"],
    "update": ["1", "name=x"],
    "job": ["last"],
    "cancel": ["1"],
    "queue": ["status"],
    "resource": ["list"],
    "stream": ["get", "x"],
    "exec": ["true"],
    "overlay": ["status"],
    "comms": ["info"],
    "config": ["get"],
    "content": ["flush"],
    "dump": ["a.tar"],
    "restore": ["--key=a", "a.tar"],
}
"""What makes a complete command line of a command."""


def subparsers(made: Any) -> list[Any]:
    """The parsers of a command's commands, of all depths."""
    actions = [action for action in made._actions if isinstance(action.choices, dict)]
    found = [sub for action in actions for sub in action.choices.values()]
    return found + [deeper for sub in found for deeper in subparsers(sub)]


@pytest.mark.parametrize("name", COMMANDS)
def test_help_explains_and_has_examples(name: str) -> None:
    made = import_module(module_name(name)).parser()
    for each in [made, *subparsers(made)]:
        text = each.format_help()
        assert text.startswith(f"usage: flux {name}")
        assert each.description
        examples = re.split("\nexamples?:\n", text)[1]
        assert f"  flux {name}" in examples


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - {"python"}))
def test_a_wrong_option_is_one_line_that_names_it(name: str) -> None:
    done = flux(name, "--no-such-option")
    assert done.code == 2
    assert done.err.startswith(f"flux-{name}: ")
    assert done.err.count("\n") == 1


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - SESSIONLESS))
def test_without_a_session_the_error_says_how_to_get_one(name: str) -> None:
    done = flux(name, *ARGUMENTS.get(name, []))
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"flux-{name}: FLUX_URI is not set")
    assert "flux start" in done.err
    assert done.err.count("\n") == 1


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - SESSIONLESS))
def test_a_dead_session_is_named(name: str) -> None:
    env = {"FLUX_URI": "local:///no/such/socket", "FLUX_LOCAL_CONNECTOR_RETRY_COUNT": "0"}
    done = flux(name, *ARGUMENTS.get(name, []), env=env)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"flux-{name}: ")
    assert "/no/such/socket: No such file or directory" in done.err
    assert done.err.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "value"), [("0", 0), ("100", 100), ("1k", 1024), ("1.5K", 1536), ("2M", 2 << 20), ("1G", 1 << 30)]
)
def test_sizes(text: str, value: int) -> None:
    assert parser.size(text) == value


@pytest.mark.parametrize(("text", "value"), [("0", 0), ("5", 5), ("0x10", 16), ("017", 15)])
def test_flags(text: str, value: int) -> None:
    assert parser.flags(text) == value


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["ping", "-c", "x", "0"], "argument -c/--count: 'x' is not a number (0 or more)"),
        (["ping", "-c", "-1", "0"], "argument -c/--count: '-1' is not a number (0 or more)"),
        (["ping", "-p", "1x", "0"], "argument -p/--pad: '1x' is not a size (like 100, 1.5k or 2M)"),
        (["ping", "-p", "-1k", "0"], "argument -p/--pad: expected one argument"),
        (["ping", "-i", "soon", "0"], "argument -i/--interval: 'soon' is not a duration (like 0.5, 100ms or 2m)"),
        (["ping", "-b", "0"], "--batch should only be used with --count"),
        (["ping", "-r", "1", "2!kvs"], "--rank and TARGET both try to specify a nodeid"),
        (["ping", "3!"], "TARGET '3!' names no service"),
        (["ping", ""], "TARGET '' names no service"),
        (["event", "pub"], "the following arguments are required: TOPIC"),
        (["module", "stats", "-s", "q", "kvs"], "argument -s/--scale: 'q' is not a number"),
        (["dmesg", "-d"], "--delta can only be used with --human"),
        (["module", "debug", "-s", "q", "kvs"], "argument -s/--setbit: 'q' is not a number"),
        (["barrier", "-n", "1.5", "x"], "argument -n/--nprocs: '1.5' is not a number (0 or more)"),
    ],
)
def test_values_that_make_no_sense_are_named(words: list[str], complaint: str) -> None:
    done = flux(*words)
    assert done.code == 2
    assert done.err.startswith(f"flux-{words[0]}: {complaint} (see `flux {words[0]}")


def test_an_unknown_command_of_a_command_is_named() -> None:
    done = flux("module", "frob")
    assert done.code == 2
    assert "'frob'" in done.err
