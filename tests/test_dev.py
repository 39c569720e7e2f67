"""`./dev`, as far as it goes without an environment."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DEV = str(ROOT / "dev")


def run(*words: str, **env: str) -> "subprocess.CompletedProcess[str]":
    """Runs ./dev from another directory."""
    return subprocess.run([DEV, *words], capture_output=True, text=True, env=os.environ | env, cwd="/")


@pytest.mark.parametrize("words", [[], ["help"], ["--help"]])
def test_alone_it_lists_its_commands(words: list[str]) -> None:
    done = run(*words)
    assert (done.returncode, done.stderr) == (0, "")
    for command in ("setup", "demo", "check", "test", "bench", "sim", "soak", "interop"):
        assert f"\n  {command} " in done.stdout


def test_an_unknown_command_is_named() -> None:
    done = run("frob")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("dev: no such command: frob\n")


def test_an_old_python_is_named(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    (tmp_path / "dev").write_text(Path(DEV).read_text())
    done = subprocess.run(
        ["sh", str(tmp_path / "dev"), "setup"], capture_output=True, text=True, env=os.environ | {"PYTHON": str(old)}
    )
    assert done.returncode == 1
    assert done.stderr == f"dev: PYTHON={old} is not Python 3.11 or later\n"
    assert not (tmp_path / ".venv").exists()
