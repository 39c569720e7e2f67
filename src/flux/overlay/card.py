"""A broker's business card: what the others need to find it, as text for PMI."""

from errno import EPROTO
from typing import NamedTuple

import msgspec


class Card(NamedTuple):
    """Host, uuid, endpoints of tree and events ("" without children), and CURVE public key ("" on one host)."""

    host: str
    uuid: str
    tree: str = ""
    event: str = ""
    pubkey: str = ""

    def text(self) -> str:
        """As it is published."""
        return msgspec.json.encode(self._asdict()).decode()


def read_card(rank: int, text: str | None) -> Card:
    """Reads the card of a rank. OSError(EPROTO) says whose is missing or unreadable."""
    try:
        fields = msgspec.json.decode(text or "", type=dict[str, str])
        return Card(**fields)
    except (msgspec.MsgspecError, TypeError):
        raise OSError(EPROTO, f"rank {rank} has not published how to reach it") from None
