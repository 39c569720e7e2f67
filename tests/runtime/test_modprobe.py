"""Where the module table of a site is read, and how a bad file is named."""

from pathlib import Path

import pytest

from flux.base.modprobe import Facts
from flux.base.rc1 import MODULES
from flux.runtime import modprobe

MINE = """
[[modules]]
name = "mine"
module = "/opt/mine.py"
ranks = ">0"
"""


@pytest.fixture(autouse=True)
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FLUX_MODPROBE_PATH", str(tmp_path))
    return tmp_path


def names() -> list[str]:
    return [entry.name for entry in modprobe.table().enabled(Facts())]


OTHERS = {"content-memory", "content-files", "content-s3", "sched-backfill", "sched-fifo"}


def test_without_files_it_is_run_level_1() -> None:
    assert names() == [entry.name for entry in MODULES if entry.name not in OTHERS]


def test_files_add_and_change_modules(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (site / "modprobe.toml").write_text(MINE)
    (site / "modprobe.d").mkdir()
    (site / "modprobe.d" / "b.toml").write_text('mine.ranks = "3"')
    (site / "modprobe.d" / "a.toml").write_text('mine.ranks = "2"\nmine.args = ["x"]')
    (site / "modprobe.d" / "notes.txt").write_text("not TOML")
    more = site / "more"
    more.mkdir()
    (more / "modprobe.toml").write_text("barrier.disabled = true")
    monkeypatch.setenv("FLUX_MODPROBE_PATH_APPEND", str(more))
    monkeypatch.setenv("FLUX_MODPROBE_DISABLE", "seq,nosuch")
    mine = modprobe.table().find("mine")
    assert (mine.path, mine.ranks, mine.args) == ("/opt/mine.py", "3", ("x",))
    assert not {"barrier", "seq"} & set(names())


@pytest.mark.parametrize(
    ("text", "said"), [("a b", "line 1"), ('[[modules]]\nnome = "x"', "unknown key nome"), ("\xff", "line 1")]
)
def test_a_bad_file_is_named_with_the_line_or_the_key(site: Path, text: str, said: str) -> None:
    (site / "modprobe.toml").write_text(text, "latin-1" if text != "\xff" else "utf-8")
    with pytest.raises(OSError, match=f"{site}/modprobe.toml: .*{said}"):
        modprobe.table()
