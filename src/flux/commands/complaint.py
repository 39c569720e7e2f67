"""How a command says what went wrong: one line on stderr, `flux-NAME: thing: reason`."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress


def complain(program: str, text: str) -> None:
    """Writes the line, if there is still somebody to read it."""
    if sys.stderr is not None:
        with suppress(OSError):
            sys.stderr.write(f"{program}: {text}\n")  # in one piece, for others may write there too
            sys.stderr.flush()


def reason(error: OSError) -> str:
    """What an OSError says, with the file that it is about."""
    text = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {text}" if error.filename else text


@contextmanager
def about(thing: str) -> Iterator[None]:
    """Names what a refusal is about, unless the service has named it."""
    try:
        yield
    except OSError as error:
        text = reason(error)
        raise OSError(error.errno, text if thing in text else f"{thing}: {text}") from None
