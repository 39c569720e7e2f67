"""Which messages somebody wants: by type, matchtag and topic."""

from flux.wire.message import Event, Letter, Message, Request, Response

REQUEST, RESPONSE, EVENT, CONTROL = 1, 2, 4, 8
ANY_TYPE = 0x0F
_TYPES = {Request: REQUEST, Response: RESPONSE, Event: EVENT}


def type_of(msg: Message) -> int:
    """The number of a message's type (RFC 3)."""
    return _TYPES.get(type(msg), CONTROL)


class Match:
    """A pattern for messages. `glob` is a shell pattern in which `*` also matches dots; None matches every topic."""

    __slots__ = ("_exact", "_glob", "_prefix", "matchtag", "typemask")

    def __init__(self, typemask: int = ANY_TYPE, glob: str | None = None, matchtag: int = 0) -> None:
        self.typemask = typemask or ANY_TYPE
        self.matchtag = matchtag
        self._exact = self._prefix = self._glob = None
        if glob is None or glob == "*":
            self._prefix = ""
        elif not _is_pattern(glob):
            self._exact = glob
        elif glob[-1] == "*" and not _is_pattern(glob[:-1]):
            self._prefix = glob[:-1]
        else:
            self._glob = glob

    def accepts(self, msg: Message) -> bool:
        """Whether this is one of them."""
        if not self.typemask & type_of(msg):
            return False
        if self.matchtag and (not isinstance(msg, Response) or msg.matchtag != self.matchtag):
            return False
        return self._accepts_topic(msg.topic if isinstance(msg, Letter) else "")

    def _accepts_topic(self, topic: str) -> bool:
        if self._prefix is not None:
            return topic.startswith(self._prefix)
        if self._exact is not None:
            return topic == self._exact
        from fnmatch import fnmatchcase

        return fnmatchcase(topic, self._glob or "")


def _is_pattern(glob: str) -> bool:
    return any(character in glob for character in "*?[")
