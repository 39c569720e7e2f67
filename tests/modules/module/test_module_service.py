"""module: the requests, with a table that remembers what it was asked."""

from collections.abc import Sequence
from errno import EINVAL, ENOENT, EPERM, EPROTO
from typing import Any

from flux.modules.heartbeat.service import Heartbeat
from flux.modules.module.service import Module
from flux.testing.host import FakeHost, play
from flux.wire.message import USER


class Table:
    """The port `modules`."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    async def load(self, name: str, args: Sequence[str] = (), *, alias: str = "") -> None:
        self.asked.append(("load", name, args, alias))

    async def dismiss(self, name: str) -> None:
        if name == "ghost":
            raise OSError(ENOENT, "ghost: No such file or directory")
        self.asked.append(("dismiss", name))

    def list(self) -> list[dict[str, Any]]:
        return [{"name": "kvs", "path": "p", "idle": 1, "status": 1, "services": [], "sendqueue": 0, "recvqueue": 0}]

    def status(self, name: str) -> int:
        return 1

    def sample(self) -> None:
        self.asked.append("sample")


def host() -> FakeHost:
    return FakeHost(ports={"modules": Table()})


def test_requests_reach_the_table() -> None:
    async def scenario(host: FakeHost) -> None:
        await host.call("module.load", {"path": "kvs", "args": ["a=1"], "exec": False})
        await host.call("module.load", {"path": "/x.py", "name": "y"})
        await host.call("module.remove", {"name": "kvs", "cancel": False})
        assert host.ports["modules"].asked == [
            ("load", "kvs", ("a=1",), ""),
            ("load", "/x.py", (), "y"),
            ("dismiss", "kvs"),
        ]
        assert (await host.call("module.list", rolemask=USER))["mods"][0]["name"] == "kvs"
        assert await host.call("module.status", {"name": "kvs"}) == {"status": 1}
        assert await host.refusal("module.remove", {"name": "ghost"}) == (ENOENT, "ghost: No such file or directory")

    play(scenario, Module, host=host())


def test_what_is_no_request_is_refused() -> None:
    async def scenario(host: FakeHost) -> None:
        process = {"path": "x", "exec": True}
        assert await host.refusal("module.load", process) == (EINVAL, "x: modules run within the broker")
        assert await host.refusal("module.load", {"path": "x", "name": ""}) == (EINVAL, "x: its name is empty")
        for topic in ("module.load", "module.remove"):
            assert (await host.refusal(topic, {}))[0] == EPROTO
            assert (await host.refusal(topic, {"path": "x", "name": "x"}, rolemask=USER))[0] == EPERM

    play(scenario, Module, host=host())


def test_idleness_is_sampled_with_the_heartbeat() -> None:
    async def scenario(host: FakeHost) -> None:
        await host.advance(5)
        assert host.ports["modules"].asked == ["sample", "sample"]

    play(scenario, Module, Heartbeat, host=host())
