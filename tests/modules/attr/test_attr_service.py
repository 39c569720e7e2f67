"""attr: the broker's attributes by request."""

from errno import EINVAL, ENOENT, EPERM, EPROTO

from flux.broker.attributes import AttributeTable
from flux.modules.attr.service import Attr
from flux.testing.host import FakeHost, play
from flux.wire.message import USER


def host() -> FakeHost:
    made = FakeHost({"color": "red"})
    assert isinstance(made.attributes, AttributeTable)
    made.attributes.fix("rank", "0")
    return made


def test_everybody_may_read() -> None:
    async def scenario(host: FakeHost) -> None:
        assert await host.call("attr.get", {"name": "color"}, rolemask=USER) == {"value": "red", "flags": 0}
        assert await host.call("attr.get", {"name": "rank"}, rolemask=USER) == {"value": "0", "flags": 1}
        assert await host.call("attr.list", rolemask=USER) == {"names": ["color", "rank"]}
        assert await host.refusal("attr.get", {"name": "x"}) == (ENOENT, "x: No such attribute")
        assert (await host.refusal("attr.get", {}))[0] == EPROTO

    play(scenario, Attr, host=host())


def test_only_the_owner_may_change() -> None:
    async def scenario(host: FakeHost) -> None:
        change = {"name": "color", "value": "blue"}
        assert (await host.refusal("attr.set", change, rolemask=USER))[0] == EPERM
        assert (await host.refusal("attr.rm", {"name": "color"}, rolemask=USER))[0] == EPERM
        await host.call("attr.set", change)
        assert host.attributes.get("color") == "blue"
        await host.call("attr.set", {"name": "new", "value": ""})
        assert host.attributes.get("new") == ""
        assert await host.refusal("attr.set", {"name": "", "value": ""}) == (EINVAL, "an attribute needs a name")

    play(scenario, Attr, host=host())


def test_what_is_immutable_stays_unless_it_is_forced() -> None:
    async def scenario(host: FakeHost) -> None:
        change = {"name": "rank", "value": "7"}
        assert await host.refusal("attr.set", change) == (EPERM, "rank: attribute may not be changed")
        assert await host.refusal("attr.rm", {"name": "rank"}) == (EPERM, "rank: attribute may not be removed")
        await host.call("attr.set", change | {"force": True})
        assert await host.call("attr.get", {"name": "rank"}) == {"value": "7", "flags": 1}

    play(scenario, Attr, host=host())


def test_what_a_service_refuses_is_not_set() -> None:
    def only_colors(text: str) -> None:
        if text == "loud":
            raise OSError(EINVAL, "color: loud is none")

    async def scenario(host: FakeHost) -> None:
        host.attributes.watch("color", only_colors)
        assert await host.refusal("attr.set", {"name": "color", "value": "loud"}) == (EINVAL, "color: loud is none")
        assert host.attributes.get("color") == "red"
        assert (await host.refusal("attr.rm", {"name": "color"}))[0] == EPERM  # somebody depends on it
        host.attributes.unwatch("color", only_colors)
        for _ in range(2):  # what is gone may be removed again
            await host.call("attr.rm", {"name": "color"})
        assert (await host.refusal("attr.get", {"name": "color"}))[0] == ENOENT

    play(scenario, Attr, host=host())
