"""Writing behind: what waits, what is told, what happens on a full disk."""

from collections.abc import Callable
from errno import ENOSPC

from hypothesis import given
from hypothesis import strategies as st

from flux.modules.content_sqlite.behind import DELAY, LATER, MUCH, Behind
from flux.modules.content_sqlite.change import Change
from flux.service.ports import Told

FULL = OSError(ENOSPC, "no room")


class Disk:
    """Takes changes when it is let, and calls what is to be called later when time passes."""

    def __init__(self, limit: int = 100) -> None:
        self.kept: dict[bytes, bytes] = {}
        self.saving: list[tuple[Change, Told[None]]] = []
        self.timers: list[tuple[float, Callable[[], None]]] = []
        self.told: list[tuple[str, OSError | None]] = []
        self.behind = Behind(self.save, lambda seconds, do: self.timers.append((seconds, do)), limit)

    def save(self, change: Change, told: Told[None]) -> None:
        self.saving.append((change, told))

    def put(self, name: str, size: int = 10) -> None:
        self.behind.put(Change({name.encode(): bytes(size)}), lambda result, error: self.told.append((name, error)))

    def wait(self) -> list[float]:
        due, self.timers = self.timers, []
        for _, do in due:
            do()
        return [seconds for seconds, _ in due]

    def done(self, error: OSError | None = None) -> None:
        change, told = self.saving.pop(0)
        if error is None:
            self.kept |= change.blobs
        told(None, error)


def test_who_writes_goes_on_and_the_disk_gets_it_all_at_once() -> None:
    disk = Disk()
    disk.put("a")
    disk.put("b")
    assert disk.told == [("a", None), ("b", None)] and not disk.saving
    assert disk.behind.find(b"a") == bytes(10)
    assert disk.wait() == [DELAY]
    assert [set(change.blobs) for change, _ in disk.saving] == [{b"a", b"b"}]
    assert disk.behind.find(b"a") == bytes(10), "found while it is being written, too"
    disk.done()
    assert disk.behind.find(b"a") is None and disk.behind.size == 0


def test_much_is_not_waited_with() -> None:
    disk = Disk(limit=10 * MUCH)
    disk.put("a", MUCH + 1)
    assert len(disk.saving) == 1


def test_beyond_the_limit_writers_wait_for_the_disk() -> None:
    disk = Disk(limit=25)
    for name in "abcd":
        disk.put(name)
    assert [name for name, _ in disk.told] == ["a", "b"]
    disk.wait()
    disk.done()
    assert disk.told[2:] == [("c", None), ("d", None)]


def test_one_that_is_larger_than_the_limit_is_taken_alone() -> None:
    disk = Disk(limit=25)
    disk.put("a", 1000)
    disk.put("b")
    assert disk.told == [("a", None)]


def test_a_full_disk_keeps_what_waits_and_refuses_what_there_is_no_room_for() -> None:
    disk = Disk(limit=25)
    for name in "abc":
        disk.put(name)
    disk.wait()
    disk.done(FULL)
    disk.put("d")
    assert disk.told == [("a", None), ("b", None), ("c", FULL), ("d", FULL)]
    assert disk.behind.find(b"a") is not None
    assert disk.wait() == [LATER]
    disk.done()
    assert disk.kept.keys() == {b"a", b"b"}, "what was refused is not written later"
    disk.put("e")
    assert disk.told[-1] == ("e", None)


def test_a_flush_ends_when_nothing_waits() -> None:
    disk = Disk()
    ended: list[OSError | None] = []
    disk.behind.flush(lambda result, error: ended.append(error))
    assert ended == [None]
    disk.put("a")
    disk.behind.flush(lambda result, error: ended.append(error))
    disk.put("b")
    assert ended == [None]
    disk.done()
    disk.done()
    assert ended == [None, None]
    disk.put("c")
    disk.behind.flush(lambda result, error: ended.append(error))
    disk.done(FULL)
    assert ended == [None, None, FULL]


@given(st.lists(st.sampled_from(["put", "wait", "done", "fail"]), max_size=40))
def test_what_was_taken_is_found_or_kept_whatever_happens(steps: list[str]) -> None:
    disk = Disk(limit=35)
    for number, step in enumerate(steps):
        match step:
            case "put":
                disk.put(str(number))
            case "wait":
                disk.wait()
            case "done" | "fail" if disk.saving:
                disk.done(FULL if step == "fail" else None)
        assert len(disk.saving) <= 1
        assert disk.behind.size <= 35
        for name, error in disk.told:
            key = name.encode()
            assert (disk.behind.find(key) is not None or key in disk.kept) == (error is None)
    for _ in range(3):
        disk.wait()
        if disk.saving:
            disk.done()
    puts = steps.count("put")
    assert len(disk.told) == puts, "everybody was told"
