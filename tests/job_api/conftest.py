"""A session of two brokers that the tests of a file share, and a handle for it."""

from collections.abc import Iterator

import pytest

import flux
from tests.session import Session
from tests.session import session as new_session


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with new_session(2) as running:
        yield running


@pytest.fixture
def h(session: Session) -> Iterator[flux.Flux]:
    """A handle of a test's own."""
    with flux.Flux(session.uri) as handle:
        yield handle
