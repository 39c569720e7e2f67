"""A fake broker, and a handle that is connected to it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from flux.core.handle import Flux
from flux.testing.echo import EchoThread


@pytest.fixture
def echo(tmp_path: Path) -> Iterator[EchoThread]:
    """A broker that echoes."""
    with EchoThread(str(tmp_path / "local")) as thread:
        yield thread


@pytest.fixture
def h(echo: EchoThread) -> Iterator[Flux]:
    """A handle for it."""
    with Flux(echo.uri) as handle:
        yield handle
