"""Where a line goes."""

import pytest

from flux.base.logline import LogLine
from flux.modules.log.levels import LEVELS, Levels, Places


def line(severity: int, rank: int = 2) -> LogLine:
    return LogLine(severity, "2026-01-02T03:04:05.123456Z", rank, "app", "text")


def places(levels: Levels, severity: int, rank: int = 2) -> str:
    """The places by name."""
    where = levels.places(line(severity, rank))
    return " ".join(name for name, is_one in zip(Places._fields, where, strict=True) if is_one)


def test_a_broker_keeps_its_own_and_forwards_what_is_grave() -> None:
    levels = Levels(2)
    assert [places(levels, severity) for severity in (7, 4, 3, 2, 0)] == [
        "ring",
        "ring",
        "ring forward",
        "ring stderr forward",
        "ring stderr forward",
    ]


def test_rank_0_shows_and_files_what_comes_from_elsewhere_but_does_not_keep_it() -> None:
    levels = Levels(0)
    assert [places(levels, severity) for severity in (7, 3, 0)] == ["file", "stderr file", "stderr file"]
    assert [places(levels, severity, rank=0) for severity in (7, 3)] == ["ring file", "ring stderr file"]


def test_in_local_mode_every_broker_shows_its_own() -> None:
    levels = Levels(2)
    levels.set_mode("local")
    assert places(levels, 3) == "ring stderr forward"
    leader = Levels(0)
    leader.set_mode("local")
    assert places(leader, 3) == "file"
    assert leader.shown(line(3)) == "<3>app.err[2]: text"
    leader.set_mode("leader")
    assert leader.shown(line(3)) == "2026-01-02T03:04:05.123456Z app.err[2]: text"


def test_levels_are_bounds_and_minus_one_is_silence() -> None:
    levels = Levels(2)
    for name in LEVELS:
        levels.set_level(name, "-1")
    assert places(levels, 0) == ""
    levels.set_level("log-forward-level", "7")
    assert places(levels, 7) == "forward"


@pytest.mark.parametrize("text", ["", "8", "-2", "x", "3x", "1.0", " 3", "٣", "--1", "-", "03", "-0x"])
def test_what_is_no_level_is_refused(text: str) -> None:
    with pytest.raises(OSError, match=f"log-level: '{text}' is not a level"):
        Levels(0).set_level("log-level", text)


@pytest.mark.parametrize("text", ["", "LOCAL", "wrong"])
def test_what_is_no_mode_is_refused(text: str) -> None:
    with pytest.raises(OSError, match=f"'{text}' is not one of leader, local"):
        Levels(0).set_mode(text)
