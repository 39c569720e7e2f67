"""Fixtures for all tests."""

import signal
from collections.abc import Iterator

import pytest

from tests.session import Session
from tests.session import session as new_session

# A shell's background job, or nohup's, begins without these, and so would all that it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    """A session of four brokers that the tests of a file share."""
    with new_session(4) as running:
        yield running
