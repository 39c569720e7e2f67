"""log: kept, shown, forwarded, followed."""

from errno import EINVAL, ENODATA, ENOENT, ENOSPC, EPERM, EPROTO
from typing import Any

import pytest

from flux.base.logline import LogLine
from flux.modules.log.service import Log
from flux.testing.host import FakeHost, play
from flux.testing.tree import FakeTree, grow
from flux.wire.message import STREAMING, USER, Response

STAMP = "2026-01-02T03:04:05.123456Z"


class File:
    """What the port `logfile` opens."""

    opened: "list[File]" = []  # noqa: RUF012 emptied by each test

    def __init__(self, path: str) -> None:
        if path.startswith("/no"):
            raise OSError(ENOENT, "No such file or directory")
        self.path, self.lines, self.closed, self.full = path, list[str](), False, False
        File.opened.append(self)

    def __call__(self, text: str) -> None:
        if self.full:
            raise OSError(ENOSPC, "No space left on device")
        self.lines.append(text)

    def close(self) -> None:
        self.closed = True


def ports() -> dict[str, Any]:
    File.opened = []
    shown: list[str] = []
    system: list[tuple[int, str]] = []
    return {
        "stderr": shown.append,
        "shown": shown,
        "logfile": File,
        "syslog": lambda severity, text: system.append((severity, text)),
        "system": system,
    }


def host(**attributes: str) -> FakeHost:
    return FakeHost({name.replace("_", "-"): value for name, value in attributes.items()}, ports=ports())


def record(severity: int, text: str, rank: int = 0, app: str = "app") -> bytes:
    return LogLine(severity, STAMP, rank, app, text).encode().encode()


def append(host: FakeHost, severity: int, text: str, rank: int | None = None) -> None:
    host.request("log.append", record(severity, text, host.rank if rank is None else rank))


async def dmesg(host: FakeHost, **how: Any) -> list[str]:
    """The texts of what is kept."""
    seen: list[Response] = []
    host.request("log.dmesg", {"follow": False} | how, seen.append, flags=STREAMING)
    await host.advance()
    return [(answer.payload() or b"").decode().rstrip("\0").rpartition(" - - - ")[2] for answer in seen[:-1]]


class Follower:
    """Somebody who follows the log; something is logged before."""

    def __init__(self, host: FakeHost, sender: bytes, nobacklog: bool = False) -> None:
        append(host, 6, f"before {sender.decode()}")
        self.heard: list[str] = []
        asked = {"follow": True, "nobacklog": nobacklog}
        self.tag = host.request("log.dmesg", asked, self.hear, sender=sender, flags=STREAMING)

    def hear(self, answer: Response) -> None:
        self.heard.append("end" if answer.errnum == ENODATA else answer.text().rpartition(" - - - ")[2])


def shown(host: FakeHost) -> list[str]:
    return [text.removeprefix(f"{STAMP} ") for text in host.ports["shown"]]


def test_what_is_logged_can_be_read_in_order_until_it_is_cleared() -> None:
    async def scenario(host: FakeHost) -> None:
        for n in range(3):
            append(host, 6, f"line {n}")
        assert await dmesg(host) == ["line 0", "line 1", "line 2"]
        assert await dmesg(host, nobacklog=True) == []
        await host.call("log.clear")
        assert await dmesg(host) == []
        assert await host.call("log.stats-get") == {"ring-used": 0, "count": 3, "dropped": 0, "local": 3, "remote": 0}

    play(scenario, Log, host=host())


def test_a_record_is_kept_as_it_came() -> None:
    async def scenario(host: FakeHost) -> None:
        sent = [
            b'<48>1 2026-01-02T03:04:05Z 0 prog 4711 id [x@1 a="b c"] structured',
            b"<48>1 2026-01-02T03:04:05Z 0 prog - - - \xc6\x92 \xce\xa6 \xff and more",
            record(6, "x" * 3000),
        ]
        for raw, end in zip(sent, (b"", b"\n", b"\0more"), strict=True):
            await host.ask("log.append", raw + end)
        seen: list[Response] = []
        host.request("log.dmesg", {"follow": False}, seen.append, flags=STREAMING)
        assert [answer.payload() for answer in seen[:-1]] == [
            sent[0] + b"\0",
            sent[1].replace(b"\xff", "\ufffd".encode()) + b"\0",
            sent[2] + b"\0",
        ]

    play(scenario, Log, host=host())


def test_a_record_has_its_limit() -> None:
    async def scenario(host: FakeHost) -> None:
        append(host, 6, "x" * 1_000_000)
        assert len((await dmesg(host))[0]) < 1 << 16

    play(scenario, Log, host=host())


def test_the_ring_forgets_the_oldest_and_its_size_can_be_changed() -> None:
    async def scenario(host: FakeHost) -> None:
        for n in range(4):
            append(host, 6, str(n))
        assert await dmesg(host) == ["1", "2", "3"]
        host.attributes.set("log-ring-size", "2")
        assert await dmesg(host) == ["2", "3"]
        for bad in ("", "-1", "4xx"):
            with pytest.raises(OSError, match="is not a number of records"):
                host.attributes.set("log-ring-size", bad)
        assert (await host.call("log.stats-get"))["ring-used"] == 2

    play(scenario, Log, host=host(log_ring_size="3"))


def test_who_follows_hears_what_comes_until_he_leaves() -> None:
    async def scenario(host: FakeHost) -> None:
        a, b = Follower(host, b"a"), Follower(host, b"b", nobacklog=True)
        append(host, 6, "now")
        host.disconnect(b"b")
        append(host, 6, "later")
        host.request("log.cancel", {"matchtag": a.tag}, sender=b"a")
        append(host, 6, "never")
        assert (a.heard, b.heard) == (["before a", "before b", "now", "later", "end"], ["now", "end"])

    play(scenario, Log, host=host())


def test_dmesg_wants_to_know_and_is_the_owners() -> None:
    async def scenario(host: FakeHost) -> None:
        assert (await host.refusal("log.dmesg", flags=STREAMING))[0] == EPROTO
        assert await host.refusal("log.dmesg", {"follow": False}) == (EPROTO, "log.dmesg needs a streaming request")
        for topic in ("append", "dmesg", "clear", "forward"):
            assert (await host.refusal(f"log.{topic}", {}, rolemask=USER))[0] == EPERM

    play(scenario, Log, host=host())


def test_what_is_grave_on_any_rank_is_shown_by_rank_0() -> None:
    async def scenario(tree: FakeTree) -> None:
        for severity, text in ((6, "chatter"), (3, "trouble"), (2, "fire")):
            append(tree[3], severity, text)
        await tree[0].advance()
        # Nothing of the other brokers' stderr is ours: all share one list here.
        assert shown(tree[0]) == ["app.crit[3]: fire", "app.err[3]: trouble", "app.crit[3]: fire"]
        assert await dmesg(tree[0]) == [] and await dmesg(tree[3]) == ["chatter", "trouble", "fire"]
        assert (await tree[0].call("log.stats-get"))["remote"] == 2

    grow(scenario, Log, FakeTree(7, ports=ports()))


def test_a_burst_is_forwarded_in_few_messages() -> None:
    async def scenario(tree: FakeTree) -> None:
        for n in range(3000):
            append(tree[3], 7, str(n))
        await tree[0].advance()
        assert tree[3].services["log"].sent[0] == 3
        assert shown(tree[0]) == [f"app.debug[3]: {n}" for n in range(3000)]

    levels = {"log-forward-level": "7", "log-stderr-level": "7"}
    grow(scenario, Log, FakeTree(7, levels, ports=ports()))


def test_what_could_not_be_forwarded_arrives_later_and_once() -> None:
    async def scenario(tree: FakeTree) -> None:
        await tree[0].unload("log")
        append(tree[3], 3, "early")
        await tree[0].advance()
        await tree[0].load(Log)
        append(tree[3], 3, "late")
        await tree[0].advance()
        assert shown(tree[0]) == ["app.err[3]: early", "app.err[3]: late"]
        tree.cut(1)
        append(tree[3], 3, "cut off")
        await tree[0].advance()
        tree.adopt(1, 2)
        tree[3].services["log"].parent_changed()
        await tree[0].advance()
        assert shown(tree[0])[2:] == ["app.err[3]: cut off"]

    grow(scenario, Log, FakeTree(7, ports=ports()))


def test_a_log_file_is_written_by_rank_0_and_can_be_changed() -> None:
    async def scenario(tree: FakeTree) -> None:
        append(tree[0], 7, "from 0")
        append(tree[1], 3, "from 1")
        append(tree[1], 7, "not so grave")
        await tree[0].advance()
        tree[0].attributes.set("log-filename", "/b")
        append(tree[0], 7, "moved")
        first, second = File.opened
        assert [text.rpartition("Z ")[2] for text in first.lines] == ["app.debug[0]: from 0", "app.err[1]: from 1"]
        assert (first.path, second.path, first.closed, len(second.lines)) == ("/a", "/b", True, 1)
        for bad, said in (("", "a path is needed"), ("/no/way", "log-filename: /no/way: No such file")):
            with pytest.raises(OSError, match=said):
                tree[0].attributes.set("log-filename", bad)
        append(tree[0], 7, "goes on")
        assert len(second.lines) == 2

    grow(scenario, Log, FakeTree(3, {"log-filename": "/a"}, ports=ports()))
    assert File.opened[1].closed


def test_a_log_file_that_is_full_is_given_up_with_a_word() -> None:
    async def scenario(host: FakeHost) -> None:
        File.opened[0].full = True
        for n in range(2):
            append(host, 6, str(n))
        assert shown(host) == ["flux-broker: log-filename: No space left on device: the log goes no longer there"]
        assert await dmesg(host) == ["0", "1"]

    play(scenario, Log, host=host(log_filename="/a"))


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("log-level", "8", "'8' is not a level"),
        ("log-ring-size", "", "is not a number of records"),
        ("log-stderr-mode", "wrong", "'wrong' is not one of"),
        ("log-filename", "", "log-filename: a path is needed"),
        ("log-filename", "/no/way", "log-filename: /no/way: No such file or directory"),
    ],
)
def test_a_bad_attribute_keeps_the_broker_from_starting(name: str, value: str, said: str) -> None:
    async def scenario(host: FakeHost) -> None:
        with pytest.raises(OSError, match=said):
            await host.load(Log)

    play(scenario, host=FakeHost({name: value}, ports=ports()))


def test_levels_change_while_it_runs() -> None:
    async def scenario(host: FakeHost) -> None:
        await host.call("log.setattr", {"name": "log-stderr-level", "value": "7"})
        append(host, 7, "seen")
        host.attributes.set("log-stderr-level", "-1")
        append(host, 3, "unseen")
        assert shown(host) == ["app.debug[0]: seen"]
        refused = {"name": "log-level", "value": "7"}
        assert await host.refusal("log.setattr", refused) == (EINVAL, "log-level: unknown log attribute")
        said = await host.refusal("log.setattr", {"name": "log-stderr-level", "value": "8"})
        assert said == (EINVAL, "log-stderr-level: '8' is not a level from -1 to 7")

    play(scenario, Log, host=host())


def test_what_is_no_record_is_of_unknown_origin() -> None:
    async def scenario(host: FakeHost) -> None:
        await host.ask("log.append", b"just text")
        assert await dmesg(host) == []
        assert (await host.call("log.stats-get"))["remote"] == 1

    play(scenario, Log, host=host())


def test_its_own_mistakes_go_to_stderr_and_not_round_in_circles() -> None:
    async def scenario(host: FakeHost) -> None:
        service = host.services["log"]
        service.log(3, "one\ntwo")
        assert shown(host) == ["flux-broker: log: one", "flux-broker: log: two"]
        assert await dmesg(host) == []

    play(scenario, Log, host=host())


def test_what_is_grave_goes_to_the_hosts_log_where_that_is_wanted() -> None:
    async def scenario(host: FakeHost) -> None:
        for severity in (2, 3, 4):
            append(host, severity, f"severity {severity}")
        append(host, 2, "of another", rank=7)
        assert host.port("system") == [(2, "app[0]: severity 2"), (3, "app[0]: severity 3")]

    play(scenario, Log, host=host(log_syslog_enable="1"))


def test_nothing_goes_to_the_hosts_log_unless_that_is_wanted() -> None:
    async def scenario(host: FakeHost) -> None:
        append(host, 0, "grave")
        assert host.port("system") == []

    play(scenario, Log, host=host())
