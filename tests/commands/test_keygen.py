"""`flux keygen`."""

from pathlib import Path

from flux.runtime.certificate import load
from tests.session import flux


def test_a_certificate_is_written_for_us_alone(tmp_path: Path) -> None:
    path = tmp_path / "cert"
    assert flux("keygen", "--name=tuolumne", "--meta=a=b,c", "--meta", "d=e", str(path)) == (0, "", "")
    assert path.stat().st_mode & 0o777 == 0o600
    notes = load(str(path)).metadata
    assert (notes["name"], notes["a"], notes["c"], notes["d"]) == ("tuolumne", "b", "", "e")
    assert notes["keygen.flux-core-version"] == "0.88.0"


def test_without_a_path_nothing_is_made() -> None:
    assert flux("keygen") == (0, "", "flux-keygen: WARNING: add PATH argument to save generated certificate\n")


def test_what_is_wrong_is_one_line(tmp_path: Path) -> None:
    assert flux("keygen", f"{tmp_path}/x/y") == (1, "", f"flux-keygen: {tmp_path}/x/y: No such file or directory\n")
    done = flux("keygen", '--meta=a=x"y', f"{tmp_path}/x")
    assert done == (1, "", "flux-keygen: a: 'x\"y' has characters that a certificate cannot hold\n")
    assert flux("keygen", "--meta==x", f"{tmp_path}/x").code == 2
    assert not (tmp_path / "x").exists()
