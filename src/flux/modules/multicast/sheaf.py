"""What has come of one multicast: answers and errors, equal ones bound together, payloads left as bytes. Pure."""

from collections.abc import Iterable
from errno import EPROTO

import msgspec

from flux.base.idset import IDset
from flux.wire.message import Data

NOTHING = b"null"


class Bundle(msgspec.Struct):
    """A sheaf as it travels. `ended` are the ranks whose streams are at their end."""

    answers: list[tuple[str, msgspec.Raw]] = []
    errors: list[tuple[str, int, str]] = []
    ended: str = ""


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Bundle).decode


class Sheaf:
    """Grows by what ranks, or brokers for many ranks, answer; is taken as a payload.

    What one rank says in a stream keeps its order: its second answer is never bound to another's first.
    """

    def __init__(self) -> None:
        self._clear()

    def __bool__(self) -> bool:
        return bool(self._answers or self._errors or self._ended)

    def answer(self, ranks: IDset, payload: bytes) -> None:
        """Those ranks have given that answer, which is JSON."""
        turn = max((self._turns.get(rank, 0) for rank in ranks), default=0)
        self._turns.update(dict.fromkeys(ranks, turn + 1))
        self._answers.setdefault((turn, payload), IDset()).add(ranks)

    def fail(self, ranks: IDset, errnum: int, text: str = "") -> None:
        """Those ranks refused, or somebody did for them."""
        if ranks:
            self._errors.setdefault((errnum, text), IDset()).add(ranks)

    def end(self, ranks: IDset) -> None:
        """The streams of those ranks are at their end."""
        self._ended.add(ranks)

    def bind(self, data: Data) -> "Share":
        """Takes in what a broker has gathered; says whose it was. OSError(EPROTO) for what is no bundle."""
        try:
            bundle = _decode(_trimmed(data if isinstance(data, bytes) else b""))
            answered, ended = [(IDset(ranks), bytes(raw)) for ranks, raw in bundle.answers], IDset(bundle.ended)
            errors = [(IDset(ranks), errnum, text) for ranks, errnum, text in bundle.errors]
        except (ValueError, TypeError, RecursionError):
            raise OSError(EPROTO, "a broker's answer is not what brokers answer") from None
        for ranks, payload in answered:
            self.answer(ranks, payload)
        for ranks, errnum, text in errors:
            self.fail(ranks, errnum, text)
        self.end(ended)
        return Share(_all(ranks for ranks, _ in answered), _all(ranks for ranks, *_ in errors), ended)

    def take(self) -> bytes:
        """All of it as a payload, lowest ranks first; what comes later is a new sheaf."""
        answers = sorted(self._answers.items(), key=lambda item: (item[0][0], item[1].first()))
        errors = sorted(self._errors.items(), key=lambda item: item[1].first())
        bundle = Bundle(
            [(str(ranks), msgspec.Raw(payload)) for (_, payload), ranks in answers],
            [(str(ranks), errnum, text) for (errnum, text), ranks in errors],
            str(self._ended),
        )
        self._clear()
        return _encode(bundle) + b"\0"

    def _clear(self) -> None:
        self._answers: dict[tuple[int, bytes], IDset] = {}
        self._errors: dict[tuple[int, str], IDset] = {}
        self._turns: dict[int, int] = {}
        self._ended = IDset()


class Share:
    """Which ranks a broker's bundle was about."""

    __slots__ = ("answered", "ended", "failed")

    def __init__(self, answered: IDset, failed: IDset, ended: IDset) -> None:
        self.answered, self.failed, self.ended = answered, failed, ended


def json_of(data: Data) -> bytes:
    """An answer's payload as JSON: what is JSON stays as it is, other text becomes a string. OSError(EPROTO)."""
    if data is None:
        return NOTHING
    if isinstance(data, dict):
        return _encode(data)
    raw = _trimmed(data)
    if not raw:
        return NOTHING
    try:
        if raw[:1] == b"{":
            return bytes(msgspec.json.decode(raw, type=msgspec.Raw))
        return _encode(raw.decode())
    except (ValueError, RecursionError):
        raise OSError(EPROTO, "the answer is neither JSON nor text") from None


def _trimmed(data: bytes) -> bytes:
    return data[:-1] if data.endswith(b"\0") else data


def _all(sets: Iterable[IDset]) -> IDset:
    return IDset().union(*sets)
