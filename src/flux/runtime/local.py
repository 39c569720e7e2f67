"""The rules of the local connector: which socket, how often to try it, what its first byte says, what errors say."""

import os
from collections.abc import Iterable
from errno import EAGAIN, ECONNREFUSED, ECONNRESET, EINVAL, ENOENT

WORTH_ANOTHER_TRY = (ENOENT, ECONNREFUSED, EAGAIN)
"""What a socket says that is not bound yet, is not listened to yet, or has too many at its door."""
RETRIES, FIRST_DELAY, LONGEST_DELAY = 5, 0.016, 2.0

LOST = "lost connection to the broker"
CLOSED = "the handle is closed"
NO_SESSION = "FLUX_URI is not set and no system instance was found: start a session with `flux start`"
SYSTEM_SOCKET = "/run/flux/local"


def address(url: str | None) -> str:
    """Finds the socket that a URL names: `local://PATH`, or None for the session around us."""
    url = url or os.environ.get("FLUX_URI")
    if not url:
        if not os.path.exists(SYSTEM_SOCKET):
            raise OSError(ENOENT, NO_SESSION)
        return SYSTEM_SOCKET
    scheme, separator, path = url.partition("://")
    if not separator or scheme != "local" or not path:
        raise OSError(EINVAL, f"{url}: not a URL of the form local://PATH")
    return path


def retries() -> int:
    """How often a refused connection is tried again."""
    text = os.environ.get("FLUX_LOCAL_CONNECTOR_RETRY_COUNT", "")
    if text and not text.isdecimal():
        raise OSError(EINVAL, f"FLUX_LOCAL_CONNECTOR_RETRY_COUNT: not a number: {text}")
    return int(text) if text else RETRIES


def delays() -> Iterable[float]:
    """Seconds to wait before each further attempt."""
    return (min(FIRST_DELAY * 2**n, LONGEST_DELAY) for n in range(retries()))


def refusal(accept: bytes, path: str) -> OSError | None:
    """Reads the byte that a broker greets with: 0 is welcome, anything else an errno."""
    if not accept:
        return OSError(ECONNRESET, LOST)
    if accept[0]:
        return OSError(accept[0], f"{path}: {os.strerror(accept[0])}")
    return None


def lost(reason: str = LOST) -> OSError:
    """What a caller gets when the broker is gone. Always ECONNRESET: BrokenPipeError is about our own output."""
    return OSError(ECONNRESET, reason)


def unreachable(error: OSError, path: str) -> OSError:
    """Says which socket could not be connected to, and why."""
    return OSError(error.errno or EINVAL, f"{path}: {error.strerror or error}")
