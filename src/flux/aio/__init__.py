"""The asyncio face of a connection to a Flux instance: `async with flux.aio.connect() as h: await h.rpc(...)`."""

from flux.aio.handle import Handle
from flux.aio.opening import Opening, connect
from flux.aio.streams import Events, Stream

__all__ = ["Events", "Handle", "Opening", "Stream", "connect"]
