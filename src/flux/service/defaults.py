"""What every service answers without writing a line (RFC 5)."""

from errno import EPROTO
from typing import Any

from flux.base.config import Config
from flux.overlay.router import SIGNS
from flux.service.call import Call
from flux.service.ports import Host
from flux.service.server import Server
from flux.service.topics import ALL, request
from flux.wire.message import OWNER, USER, Event


class Defaults(Server):
    """A server with the methods that all services have."""

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self.debug_flags = 0

    def configured(self, config: Config) -> None:
        """Takes the configuration: before `start`, and whenever it has changed. OSError(EINVAL) refuses it, and then
        nothing must have changed."""

    def disconnected(self, sender: bytes) -> None:
        """A caller is gone; its calls are cancelled already. For state that is not a call."""

    @request(allow=USER, raw=True)
    def ping(self, call: Call, *, payload: bytes) -> dict[str, Any]:
        """Gives the payload back, with the way it came."""
        asked = call.request
        hops = [*(hop.lstrip(SIGNS)[:8].decode("latin-1") for hop in reversed(asked.route)), self.host.uuid[:8]]
        return asked.body() | {
            "route": "!".join(hops),
            "userid": asked.userid,
            "rolemask": asked.rolemask,
            "rank": self.host.rank,
        }

    @request(allow=USER)
    def disconnect(self, call: Call) -> None:
        """The sender is gone: its calls are dropped. They are answered, for the brokers on the way wait for that."""
        sender = call.sender
        for open_call in self.open_calls(lambda asked: asked.sender == sender):
            open_call.cancel()
        self.disconnected(sender)

    @request(allow=USER)
    def cancel(self, call: Call, *, matchtag: int) -> None:
        """Ends one of the sender's calls in order."""
        found = self.open_call(call.sender, matchtag)
        if found is not None:
            found.cancel()

    @request(allow=ALL)
    def stats_get(self, call: Call) -> dict[str, Any]:
        """Counts of the messages that the service sent and received."""
        kinds = ("request", "response", "event")
        return {
            "tx": {**dict(zip(kinds, self.sent, strict=True)), "control": 0},
            "rx": {**dict(zip(kinds, self.received, strict=True)), "control": 0},
        }

    @request("config-reload", raw=True)
    def take_config(self, call: Call, *, payload: bytes) -> None:
        """There is another configuration; the payload is all of it."""
        self.configured(self.host.port("config").of(call.request.body()))

    @request("config-sync", raw=True)
    def take_first_config(self, call: Call, *, payload: bytes) -> None:
        """The session's configuration, as this broker has got it from its parent at the start."""
        self.configured(self.host.port("config").of(call.request.body()))

    @request()
    def stats_clear(self, call: Call) -> None:
        """Sets the counts to 0."""
        self.clear_stats()

    def clear_stats(self) -> None:
        """Sets the counts to 0, by request or event. A service with counts of its own adds them."""
        self.sent, self.received = [0, 0, 0], [0, 0, 0]

    def stats_cleared(self, event: Event) -> None:
        """Somebody wants the counts of this service to be 0 on all ranks."""
        if event.rolemask & OWNER:
            self.clear_stats()

    @request(allow=USER)
    def rusage(self, call: Call, *, who: str = "self") -> dict[str, Any]:
        """What the broker has used: getrusage(2) of self, children or thread."""
        return self.host.rusage(who)

    @request()
    def debug(self, call: Call, *, op: str, flags: int = 0) -> dict[str, int]:
        """Reads and changes the service's debug flags."""
        match op:
            case "setbit":
                self.debug_flags |= flags
            case "clrbit":
                self.debug_flags &= ~flags
            case "set":
                self.debug_flags = flags
            case "clr":
                self.debug_flags = 0
            case _:
                raise OSError(EPROTO, f"debug: no such op: {op}")
        return {"flags": self.debug_flags}

    @request()
    def shutdown(self, call: Call) -> None:
        """Unloads the service."""
        self.host.port("unload")(self.name)
