"""`event`: publishing by request, for who wants to know the event's number."""

import base64
from asyncio import sleep
from errno import EPROTO
from typing import ClassVar

from flux.service import Call, Service, request
from flux.wire.message import PRIVATE, USER, Event


class EventService(Service):
    """Publishes what it is asked to. Rank 0 numbers; other ranks pass the request on."""

    name: ClassVar[str] = "event"

    @request("publish", allow=USER)
    async def numbered(self, call: Call, *, topic: str, flags: int = 0, payload: str | None = None) -> dict[str, int]:
        """Publishes an event; `payload` is base64. Answers its number once it has one."""
        if not topic:
            raise OSError(EPROTO, "event.publish: topic is empty")
        if flags & ~PRIVATE:
            raise OSError(EPROTO, f"event.publish: unknown flags {flags:#x}")
        if self.host.rank:
            body = call.request.body()
            return await self.rpc("event.publish", body, upstream=True)
        asked = call.request
        event = Event(asked.userid, asked.rolemask, flags, topic, _decoded(payload))
        self.send(event)
        await sleep(0)  # this turn's messages are routed by then
        return {"seq": event.sequence}


def _decoded(payload: str | None) -> bytes | None:
    if payload is None:
        return None
    try:
        return base64.b64decode(payload, validate=True)
    except ValueError:
        raise OSError(EPROTO, "event.publish: payload is not base64") from None
