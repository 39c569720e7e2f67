"""What commands import decides how long they take to start. So it is a list, and a longer one has to be meant."""

import os
import subprocess
import sys

import pytest

from tests.session import Session, flux

CLIENT = {
    "flux",
    "flux.base",
    "flux.base.duration",
    "flux.base.invalid",
    "flux.commands",
    "flux.commands.complaint",
    "flux.commands.environment",
    "flux.commands.front",
    "flux.commands.parser",
    "flux.commands.table",
    "flux.constants",
    "flux.core",
    "flux.core.channel",
    "flux.core.dispatch",
    "flux.core.handle",
    "flux.core.stream",
    "flux.core.watchers",
    "flux.future",
    "flux.message",
    "flux.rpc",
    "flux.runtime",
    "flux.runtime.blocking",
    "flux.runtime.brisk",
    "flux.runtime.interrupt",
    "flux.runtime.local",
    "flux.runtime.reactor",
    "flux.runtime.wakeup",
    "flux.runtime.watch",
    "flux.wire",
    "flux.wire.codec",
    "flux.wire.framing",
    "flux.wire.match",
    "flux.wire.message",
    "flux.wire.payload",
    "flux.wire.session",
}
"""What every command that asks a broker is made of."""
STREAM = {"flux.base.idset", "flux.base.iodata", "flux.kvs", "flux.kvs.where", "flux.stream", "_bisect", "bisect"}
"""What commands need that write or read a stream."""
LIBRARIES = {"flux.base", "flux.base.duration", "flux.base.invalid", "flux.runtime", "flux.runtime.wakeup"}
"""What the front end and the parsers need."""
STANDARD = {"_heapq", "_locale", "_struct", "binascii", "errno", "gc", "heapq", "locale", "select", "struct"}
"""What these need of the standard library, beyond what argparse and msgspec bring along."""
FOREIGN = "import sys, argparse, msgspec, contextlib; print(*sys.modules)"

PROBE = """
import sys
from flux.commands.front import main
code = main(sys.argv[1:])
print(*sys.modules, file=sys.stderr)
sys.exit(code)
"""


def modules(code: str, *words: str, uri: str = "") -> set[str]:
    """What a program has imported when it ends. The program says so in the last line of its output."""
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, env=os.environ | {"FLUX_URI": uri}
    )
    assert done.returncode == 0, done.stderr
    return set((done.stderr or done.stdout).splitlines()[-1].split())


@pytest.mark.parametrize(
    ("line", "more"),
    [
        ("getattr size", {"flux.commands.getattr"}),
        ("setattr log-level 7", {"flux.commands.setattr"}),
        ("lsattr -v", {"flux.commands.lsattr"}),
        ("barrier alone", {"flux.commands.barrier"}),
        ("event pub nobody.cares", {"flux.commands.event"}),
        (
            "kvs get there",
            {"flux.commands.kvs", "flux.base.treeobj", "flux.base.blobref"}
            | {"flux.kvs", "flux.kvs.reading", "flux.kvs.values", "flux.kvs.where", "flux.kvs.writing"},
        ),
        ("stream put there", {"flux.commands.stream", *STREAM, "flux.stream.sending", "flux.stream.writer"}),
        (
            "stream get stream",
            {"flux.commands.stream", *STREAM, "flux.commands.streamview", "flux.base.treeobj", "flux.base.blobref"}
            | {"flux.runtime.descriptor"}
            | {"flux.base.eventlog", "flux.base.streamlog", "flux.stream.reading", "flux.stream.reader"},
        ),
    ],
)
def test_a_command_imports_what_it_is_allowed_to(session: Session, line: str, more: set[str]) -> None:
    session.flux("kvs", "put", "there=1")
    session.flux("stream", "put", "stream")
    session.flux("kvs", "unlink", "there") if line.startswith("stream put") else None
    found = modules(PROBE, *line.split(), uri=session.uri)
    assert found - modules(FOREIGN) - CLIENT - STANDARD == more


def test_help_of_all_commands_imports_none_of_them() -> None:
    found = {name for name in modules(PROBE, "help") if name.startswith("flux")}
    front = {"complaint", "environment", "front", "help", "parser", "plugins", "table"}
    commands = {"flux.commands", *(f"flux.commands.{name}" for name in front)}
    assert found - commands == {"flux", *LIBRARIES}


def test_the_front_end_alone_needs_no_parser() -> None:
    found = modules("import sys, flux.commands.front; print(*sys.modules)")
    assert not found & {"argparse", "msgspec", "asyncio", "socket", "subprocess", "json", "logging"}
    assert flux("version").code == 0
