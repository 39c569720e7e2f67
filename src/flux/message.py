"""Messages as programs see them, and the watcher that waits for them."""

from typing import TYPE_CHECKING, Any, Self

from flux.constants import (
    FLUX_MATCHTAG_NONE,
    FLUX_MSGTYPE_CONTROL,
    FLUX_MSGTYPE_EVENT,
    FLUX_MSGTYPE_REQUEST,
    FLUX_MSGTYPE_RESPONSE,
    FLUX_ROLE_OWNER,
)
from flux.core.watchers import Callback
from flux.rpc import failure
from flux.wire.match import Match, type_of
from flux.wire.message import Control, Event, Letter, Request, Response
from flux.wire.message import Message as WireMessage
from flux.wire.payload import decode_payload, decode_text, encode_payload, topic_text

if TYPE_CHECKING:
    from flux.core.handle import Flux

__all__ = ["Message", "MessageWatcher", "msg_typestr"]

_KINDS: dict[int, tuple[str, type[WireMessage]]] = {
    FLUX_MSGTYPE_REQUEST: ("request", Request),
    FLUX_MSGTYPE_RESPONSE: ("response", Response),
    FLUX_MSGTYPE_EVENT: ("event", Event),
    FLUX_MSGTYPE_CONTROL: ("control", Control),
}


def msg_typestr(msg_type: int) -> str:
    """The name of a message type."""
    return _KINDS[msg_type][0] if msg_type in _KINDS else "unknown"


class Message:
    """A message. New ones are requests unless another type is given."""

    def __init__(self, type_id: int = FLUX_MSGTYPE_REQUEST, handle: WireMessage | None = None) -> None:
        self.handle: Any = handle if handle is not None else _KINDS[type_id][1]()

    @classmethod
    def from_event_encode(cls, topic: Any, payload: Any = None) -> Self:
        """Makes an event; what is no text is sent as JSON."""
        return cls(handle=Event(topic=topic_text(topic), data=encode_payload(payload)))

    @property
    def topic(self) -> str:
        """The topic; "" if there is none."""
        return self.handle.topic if isinstance(self.handle, Letter) else ""

    @topic.setter
    def topic(self, value: Any) -> None:
        self.handle.topic = topic_text(value)

    @property
    def payload_str(self) -> str | None:
        """The payload as text; None without a payload."""
        return decode_text(self.handle.data)

    @payload_str.setter
    def payload_str(self, value: Any) -> None:
        self.handle.data = encode_payload(value)

    @property
    def payload(self) -> Any:
        """The payload as what its JSON says; None without a payload."""
        return decode_payload(self.handle.data)

    @payload.setter
    def payload(self, value: Any) -> None:
        if value is not None and not isinstance(value, str | bytes):
            from json import dumps

            value = dumps(value, ensure_ascii=False)
        self.payload_str = value

    @property
    def type(self) -> int:
        """FLUX_MSGTYPE_REQUEST, RESPONSE, EVENT or CONTROL."""
        return type_of(self.handle)

    @type.setter
    def type(self, value: int) -> None:
        old, kind = self.handle, _KINDS[value][1]
        kept = set(kind.__struct_fields__) & set(old.__struct_fields__)
        self.handle = kind(**{name: getattr(old, name) for name in kept})

    @property
    def type_str(self) -> str:
        """The name of the type."""
        return msg_typestr(self.type)

    @property
    def userid(self) -> int:
        """Who sent it."""
        return int(self.handle.userid)

    @userid.setter
    def userid(self, userid: int) -> None:
        self.handle.userid = userid

    @property
    def rolemask(self) -> int:
        """What the sender may do (FLUX_ROLE_*)."""
        return int(self.handle.rolemask)

    @rolemask.setter
    def rolemask(self, rolemask: int) -> None:
        self.handle.rolemask = rolemask

    def decode(self) -> tuple[int, str, str | None]:
        """Returns type, topic and payload as text. An error response raises the OSError that it carries."""
        if isinstance(self.handle, Response) and self.handle.errnum:
            raise failure(self.handle)
        return self.type, self.topic, self.payload_str


class MessageWatcher:
    """Calls `callback(handle, watcher, message, args)` for messages that match.

    Requests come only from who has one of the roles in `rolemask`, without it from the instance owner.
    """

    def __init__(
        self,
        flux_handle: "Flux",
        type_mask: int,
        callback: Callback,
        topic_glob: Any = "*",
        match_tag: int = FLUX_MATCHTAG_NONE,
        rolemask: int | None = None,
        args: Any = None,
    ) -> None:
        glob = None if topic_glob is None else topic_text(topic_glob)
        self.flux_handle, self.callback, self.args = flux_handle, callback, args
        self.match = Match(type_mask, glob, match_tag)
        self.rolemask = (rolemask or 0) | FLUX_ROLE_OWNER
        self._dispatch = flux_handle.dispatch
        self._started = False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> Self:
        """Begins to take messages."""
        if not self._started:
            self._started = True
            self._dispatch.add(self)
        return self

    def stop(self) -> Self:
        """Ends it; `start` may follow."""
        if self._started:
            self._started = False
            self._dispatch.remove(self)
        return self

    def destroy(self) -> None:
        """Ends it for good."""
        self.stop()

    def take(self, msg: WireMessage) -> None:
        """Called with each message that matches."""
        self.callback(self.flux_handle, self, Message(handle=msg), self.args)
