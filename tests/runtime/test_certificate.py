"""CURVE certificates in files."""

from errno import EACCES, EINVAL, EISDIR, ENOENT, EPERM
from pathlib import Path

import pytest

from flux.base.certificate import Certificate
from flux.runtime.certificate import fresh_certificate, load, save


def test_what_is_saved_is_for_us_alone_and_loaded_again(tmp_path: Path) -> None:
    path = tmp_path / "cert"
    path.write_text("something longer, that others may read" * 100)
    path.chmod(0o644)
    made = fresh_certificate({"name": "x"})
    save(made, str(path))
    assert path.stat().st_mode & 0o777 == 0o600
    assert load(str(path)) == made
    assert made.metadata["name"] == "x"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_what_others_may_read_or_write_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "cert"
    save(fresh_certificate({}), str(path))
    path.chmod(mode)
    with pytest.raises(OSError, match=f"{path}: others may read or write it") as refused:
        load(str(path))
    assert refused.value.errno == EPERM


def test_keys_that_are_no_pair_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "cert"
    one, other = fresh_certificate({}), fresh_certificate({})
    for public in (other.public, "x" * 40, "\\" * 40, "é" * 40):
        save(Certificate(public, one.secret, {}), str(path))
        with pytest.raises(OSError, match=f"{path}: its keys are no key pair") as refused:
            load(str(path))
        assert refused.value.errno == EINVAL


def test_a_file_that_cannot_be_is_named(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=f"{tmp_path}/x: No such file") as missing:
        load(f"{tmp_path}/x")
    assert missing.value.errno == ENOENT
    with pytest.raises(OSError, match=f"{tmp_path}: ") as refused:
        save(fresh_certificate({}), str(tmp_path))
    assert refused.value.errno in (EISDIR, EACCES)
