"""The state directory and its lock."""

import os
from errno import EBUSY, ENOENT, ENOTDIR
from pathlib import Path

import pytest

from flux.runtime import statedir


def test_one_that_is_not_there_is_made_for_us_alone(tmp_path: Path) -> None:
    where = tmp_path / "state"
    os.close(statedir.claim(str(where)))
    assert where.stat().st_mode & 0o777 == 0o700


def test_it_is_one_instances_at_a_time(tmp_path: Path) -> None:
    lock = statedir.claim(str(tmp_path))
    with pytest.raises(OSError, match=f"statedir {tmp_path}: in use by process {os.getpid()} on ") as caught:
        statedir.claim(str(tmp_path))
    assert caught.value.errno == EBUSY
    os.close(lock)
    os.close(statedir.claim(str(tmp_path)))


def test_what_cannot_be_one_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path, errnum in ((tmp_path / "file", ENOTDIR), (tmp_path / "no" / "where", ENOENT)):
        for look in (statedir.check, statedir.claim):
            with pytest.raises(OSError, match=f"statedir {path}: ") as caught:
                look(str(path))
            assert caught.value.errno == errnum


def test_a_name_without_a_directory_is_one_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    statedir.check("state")
    assert not (tmp_path / "state").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_one_that_we_may_not_write_to_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError, match=f"statedir {tmp_path}: Permission denied"):
        statedir.check(str(tmp_path))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_somebody_elses_is_refused(tmp_path: Path) -> None:
    os.chown(tmp_path, 12345, -1)
    with pytest.raises(PermissionError, match="belongs to user 12345"):
        statedir.check(str(tmp_path))
