"""The files that a job brings along."""

import os
from pathlib import Path
from typing import Any

import pytest

from flux.runtime.filetree import lay


def test_files_directories_and_links_are_made(tmp_path: Path) -> None:
    lay(
        str(tmp_path),
        {
            "script": {"mode": 0o100700, "encoding": "utf-8", "data": "#!/bin/sh\n"},
            "deep/er/raw": {"mode": 0o100600, "encoding": "base64", "data": "AP8="},
            "conf.json": {"mode": 0o100600, "data": {"a": [1]}},
            "dir": {"mode": 0o40755},
            "link": {"mode": 0o120777, "data": "script"},
        },
    )
    assert (tmp_path / "link").read_text() == "#!/bin/sh\n"
    assert os.access(tmp_path / "script", os.X_OK)
    assert (tmp_path / "deep/er/raw").read_bytes() == b"\0\xff"
    assert (tmp_path / "conf.json").read_text() == '{"a": [1]}'
    assert (tmp_path / "dir").is_dir()


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("../x", {"data": ""}),
        ("/etc/x", {"data": ""}),
        ("a/../../x", {"data": ""}),
        ("", {"data": ""}),
        ("x", {"mode": 0o20600, "data": ""}),
        ("x", {"encoding": "blobvec", "data": []}),
        ("x", {"encoding": "base64", "data": "*"}),
        ("x", {"encoding": "utf-8", "data": 1}),
    ],
)
def test_what_leads_out_or_makes_no_sense_is_refused(tmp_path: Path, name: str, entry: dict[str, Any]) -> None:
    with pytest.raises(OSError, match="file "):
        lay(str(tmp_path), {name: entry})
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="x: File exists"):
        lay(str(tmp_path), {"x": {"data": "1"}, "./x": {"data": "2"}})
