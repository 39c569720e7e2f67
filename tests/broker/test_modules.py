"""Modules found, loaded and removed in a session of one broker."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from errno import ECANCELED, EEXIST, EINVAL, EIO, ENOENT, ENOSYS, EPERM
from pathlib import Path
from typing import Any

import pytest

from flux.broker.runlevels import BUILTINS
from flux.testing.instance import SimInstance, simulate

HELLO = """
import asyncio
from dataclasses import dataclass
from flux.service import Call, Service, event, request

@dataclass
class Saying:
    words: "str"

class Hello(Service):
    aliases = ("greeting",)

    async def start(self):
        self.heard = 0
        if "refuse" in self.args:
            raise OSError(22, "told to")
        if "bug" in self.args:
            raise ZeroDivisionError("oh")
        if "slow" in self.args:
            await asyncio.sleep(10)

    async def stop(self):
        if "bad end" in self.args:
            raise ZeroDivisionError("ah")
        if "slow end" in self.args:
            await asyncio.sleep(10)

    @event("weather")
    def weather(self, event):
        self.heard += 1

    @request()
    def say(self, call: Call):
        return {"args": list(self.args), "words": Saying("hello").words, "heard": self.heard}
"""


def play(scenario: Callable[[SimInstance], Awaitable[None]], size: int = 1) -> SimInstance:
    return simulate(scenario, size, modules=())


@pytest.fixture
def hello(tmp_path: Path) -> str:
    path = tmp_path / "hello.py"
    path.write_text(HELLO)
    return str(path)


async def load(flux: SimInstance, path: str, *args: str, **how: Any) -> None:
    await flux[0].rpc("module.load", {"path": path, "args": list(args)} | how)


async def refusal(asked: Awaitable[Any]) -> tuple[int | None, str | None]:
    with pytest.raises(OSError, match=r".") as caught:
        await asked
    return caught.value.errno, caught.value.strerror


def traceback(flux: SimInstance) -> str:
    """Takes what brokers have written to stderr: a simulation must not end with a traceback there."""
    said = "\n".join(flux.stderr)
    flux.stderr.clear()
    return said


async def write_all_to_stderr(flux: SimInstance) -> None:
    """From now on stderr gets all that is logged, not only what is grave."""
    await flux[0].rpc("attr.set", {"name": "log-stderr-level", "value": "6"})


async def names(flux: SimInstance) -> list[str]:
    """What is loaded besides what every session has."""
    mods = (await flux[0].rpc("module.list"))["mods"]
    return [mod["name"] for mod in mods if mod["name"] not in BUILTINS]


def test_a_module_is_loaded_by_the_path_of_its_file(hello: str) -> None:
    async def scenario(flux: SimInstance) -> None:
        await load(flux, hello, "a", "b=1")
        assert await flux[0].rpc("hello.say") == {"args": ["a", "b=1"], "words": "hello", "heard": 0}
        assert await names(flux) == ["hello"]
        mod = (await flux[0].rpc("module.list"))["mods"][-1]
        assert (mod["path"], mod["status"], mod["services"]) == (hello, 1, ["greeting"])
        assert await flux[0].rpc("module.status", {"name": "hello"}) == {"status": 1}
        await flux[0].rpc("module.remove", {"name": hello})
        assert await names(flux) == []
        assert (await refusal(flux[0].rpc("hello.say")))[0] == ENOSYS

    play(scenario)


def test_a_file_that_was_edited_is_read_again(hello: str) -> None:
    def edit() -> None:
        Path(hello).write_text(HELLO.replace('"hello"', '"hello again"'))

    async def scenario(flux: SimInstance) -> None:
        await load(flux, hello)
        edit()
        await flux[0].rpc("module.remove", {"name": "hello"})
        await load(flux, hello)
        assert (await flux[0].rpc("hello.say"))["words"] == "hello again"

    play(scenario)


def test_a_built_in_module_is_loaded_by_its_name() -> None:
    async def scenario(flux: SimInstance) -> None:
        await load(flux, "barrier")
        await flux[0].rpc("barrier.enter", {"name": "b", "nprocs": 1})
        assert await names(flux) == ["barrier"]

    play(scenario)


def test_the_same_module_may_have_another_name(hello: str) -> None:
    source = Path(hello).read_text().replace('    aliases = ("greeting",)\n', "")
    Path(hello).write_text(source)

    async def scenario(flux: SimInstance) -> None:
        await load(flux, hello, "1")
        await load(flux, hello, "2", name="ciao")
        assert [(await flux[0].rpc(f"{name}.say"))["args"] for name in ("hello", "ciao")] == [["1"], ["2"]]
        assert await names(flux) == ["hello", "ciao"]
        assert await refusal(load(flux, hello, name="a.b")) == (EINVAL, "'a.b' is no name for a module")

    play(scenario)


def test_a_module_is_loaded_once(hello: str) -> None:
    async def scenario(flux: SimInstance) -> None:
        await load(flux, hello)
        assert await refusal(load(flux, hello)) == (EEXIST, "hello: module is already loaded")
        said = "other: service greeting is already registered"
        assert await refusal(load(flux, hello, name="other")) == (EEXIST, said)
        assert await names(flux) == ["hello"]
        await flux[0].rpc("hello.say")

    play(scenario)


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    async def scenario(flux: SimInstance) -> None:
        assert await refusal(load(flux, "nosuch")) == (ENOENT, "nosuch: module not found")
        assert await refusal(load(flux, "/no/such.py")) == (ENOENT, "/no/such.py: No such file or directory")
        assert await refusal(load(flux, str(tmp_path))) == (ENOENT, f"{tmp_path}: No such file or directory")
        asked = flux[0].rpc("module.remove", {"name": "nosuch"})
        assert await refusal(asked) == (ENOENT, "nosuch: No such file or directory")
        assert (await refusal(flux[0].rpc("module.remove", {"name": "builtin"})))[0] == ENOENT

    play(scenario)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("x = 3", "defines no Service classes, one is needed"),
        ("from flux.service import Service", "defines no Service classes, one is needed"),
        (HELLO + "\nclass Two(Service): ...", "defines 2 Service classes, one is needed"),
        ("x = = 3", "failed to load: SyntaxError: invalid syntax (bad.py, line 1)"),
        ("1 / 0", "failed to load: ZeroDivisionError: division by zero (bad.py, line 1)"),
        ("import sys; sys.exit('bye')", "failed to load: SystemExit: bye (bad.py, line 1)"),
        ("import nosuchmodule", "failed to load: ModuleNotFoundError: No module named 'nosuchmodule' (bad.py, line 1)"),
        ("open('/no/such/file')", "/no/such/file: No such file or directory"),
    ],
)
def test_a_file_that_is_no_module_is_refused_in_one_line(tmp_path: Path, source: str, said: str) -> None:
    path = tmp_path / "bad.py"
    path.write_text(source)

    async def scenario(flux: SimInstance) -> None:
        errnum, text = await refusal(load(flux, str(path)))
        assert text == f"{path}: {said}" and errnum in (EINVAL, ENOENT)
        assert await names(flux) == []
        assert not traceback(flux)
        await write_all_to_stderr(flux)
        await refusal(load(flux, str(path)))
        assert ("Traceback" in traceback(flux)) == ("failed to load" in said)

    play(scenario)


def test_a_module_that_fails_to_start_is_gone_again(hello: str) -> None:
    async def scenario(flux: SimInstance) -> None:
        assert await refusal(load(flux, hello, "refuse")) == (EINVAL, "hello: told to")
        assert not flux.stderr
        await write_all_to_stderr(flux)
        errnum, text = await refusal(load(flux, hello, "bug"))
        assert errnum == EIO
        assert re.fullmatch(r"hello: failed to load: ZeroDivisionError: oh \(hello.py, line \d+\)", str(text))
        assert "Traceback" in traceback(flux)
        assert await names(flux) == []
        for topic in ("hello.say", "greeting.say"):
            assert (await refusal(flux[0].rpc(topic)))[0] == ENOSYS
        await load(flux, hello)
        flux[0].client().publish("weather")
        await asyncio.sleep(0.1)
        assert (await flux[0].rpc("hello.say"))["heard"] == 1

    play(scenario)


def test_a_module_that_fails_to_end_is_gone_all_the_same(hello: str) -> None:
    async def scenario(flux: SimInstance) -> None:
        await load(flux, hello, "bad end")
        await flux[0].rpc("module.remove", {"name": "hello"})
        assert await names(flux) == []
        assert "ZeroDivisionError: ah" in traceback(flux)
        await load(flux, hello)

    play(scenario)


def test_a_module_can_be_removed_while_it_loads(hello: str) -> None:
    async def scenario(flux: SimInstance) -> None:
        loading = asyncio.ensure_future(refusal(load(flux, hello, "slow")))
        await asyncio.sleep(1)
        assert await flux[0].rpc("module.status", {"name": "hello"}) == {"status": 0}
        assert await refusal(load(flux, hello)) == (EEXIST, "hello: module is already loaded")
        await flux[0].rpc("module.remove", {"name": "hello"})
        assert await loading == (ECANCELED, "hello: was removed while it was loading")
        assert flux.now() < 10 and await names(flux) == []

    play(scenario)


def test_who_removes_what_is_ending_waits_for_the_same_end(hello: str) -> None:
    async def scenario(flux: SimInstance) -> None:
        await load(flux, hello, "slow end")
        begin = flux.now()
        removing = [asyncio.ensure_future(flux[0].rpc("module.remove", {"name": "hello"})) for _ in range(2)]
        await asyncio.sleep(1)
        assert await flux[0].rpc("module.status", {"name": "hello"}) == {"status": 2}
        assert (await refusal(flux[0].rpc("hello.say")))[0] == ENOSYS
        assert (await refusal(load(flux, hello)))[0] == EEXIST
        await asyncio.gather(*removing)
        assert flux.now() == begin + 10
        await load(flux, hello)

    play(scenario)


def test_a_load_goes_on_when_who_asked_for_it_leaves(hello: str) -> None:
    async def scenario(flux: SimInstance) -> None:
        client = flux[0].client()
        asked = asyncio.ensure_future(client.rpc("module.load", {"path": hello, "args": ["slow"]}))
        await asyncio.sleep(1)
        flux[0].leave(client)
        asked.cancel()
        await asyncio.sleep(20)
        assert (await flux[0].rpc("hello.say"))["args"] == ["slow"]

    play(scenario)


def test_what_the_session_needs_stays(hello: str) -> None:
    async def scenario(flux: SimInstance) -> None:
        for name in ("attr", "log", "module", "groups", "state-machine", "broker"):
            asked = flux[0].rpc("module.remove", {"name": name})
            assert await refusal(asked) == (EPERM, f"{name}: is part of the broker")
            assert (await refusal(flux[0].rpc(f"{name}.shutdown")))[0] in (EPERM, EIO)
        await load(flux, hello)
        await flux[0].rpc("hello.shutdown")
        await asyncio.sleep(0.1)
        assert await names(flux) == []

    play(scenario)


def test_other_distributions_bring_modules_by_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "strange.py").write_text("from flux.service import Service\nclass Strange(Service): ...\nx = 3\n")
    info = tmp_path / "strange-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: strange\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[flux.modules]\nstrange = strange:Strange\nwhole = strange\nno-service = strange:x\ngone = nosuch:X\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))

    async def scenario(flux: SimInstance) -> None:
        for name in ("strange", "whole"):
            await load(flux, name)
            assert await names(flux) == ["strange"]
            await flux[0].rpc("module.remove", {"name": "strange"})
        assert await refusal(load(flux, "no-service")) == (EINVAL, "no-service: strange:x is not a Service")
        said = "gone: failed to load: ModuleNotFoundError: No module named 'nosuch'"
        await write_all_to_stderr(flux)
        assert await refusal(load(flux, "gone")) == (EINVAL, said)
        assert "Traceback" in traceback(flux)

    play(scenario)


def test_a_module_is_idle_when_no_messages_come(hello: str) -> None:
    async def scenario(flux: SimInstance) -> None:
        await load(flux, "heartbeat")
        await load(flux, hello)
        await asyncio.sleep(30)
        assert await idle(flux) == 30
        await flux[0].rpc("hello.say")
        assert await idle(flux) == 0
        await asyncio.sleep(7)
        assert await idle(flux) == 7

    async def idle(flux: SimInstance) -> int:
        mods = (await flux[0].rpc("module.list"))["mods"]
        return next(int(mod["idle"]) for mod in mods if mod["name"] == "hello")

    play(scenario)
