"""Streams in the key-value store: bytes that several may write, and that readers follow to the end.

    with flux.stream.Writer(h, "log") as out:
        out.write(b"...")
    for said in flux.stream.Reader(h, "log", follow=True):
        print(said.data)

A stream is a value at a key, a log of events as job output is (RFC 24), so that `Reader` reads that, too. It may have
parts, each with a name ("stdout") and a rank; it has ended when all that was to be written has.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flux.base.streamlog import Said
    from flux.stream.listing import Stat, listed, remove, stat
    from flux.stream.reader import Reader
    from flux.stream.writer import Writer

__all__ = ["Reader", "Said", "Stat", "Writer", "listed", "remove", "stat"]

_WHERE = {
    "Said": "flux.base.streamlog",
    "Reader": "flux.stream.reader",
    "Writer": "flux.stream.writer",
    **dict.fromkeys(("Stat", "listed", "remove", "stat"), "flux.stream.listing"),
}
"""Each name with the file that it is in, which is imported when the name is first used."""


def __getattr__(name: str) -> object:
    if name not in _WHERE:
        raise AttributeError(f"module 'flux.stream' has no attribute '{name}'")
    from importlib import import_module

    found = globals()[name] = getattr(import_module(_WHERE[name]), name)
    return found
