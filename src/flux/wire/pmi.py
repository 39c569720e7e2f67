"""PMI-1 (RFC 13), by which a process manager tells its processes who they are. Pure: lines in, lines out."""

from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

from flux.wire.message import BadMessage

LINE_MAX = 1 << 16
"""Bytes of a line beyond which the peer does not speak PMI-1."""
NAME_MAX, KEY_MAX, VALUE_MAX = 64, 64, 1024
"""What our server promises to take, in bytes with the NUL that clients in C put behind."""
MAPPING_KEY = "PMI_process_mapping"

SUCCESS, FAIL, INVALID_KEY, INVALID_KEY_LENGTH, INVALID_VAL_LENGTH = 0, -1, 4, 5, 7

TEXTS = ("value=", "error_msg=")
"""What reaches to the end of the line, spaces and all."""

ANSWERS = {
    "init": "response_to_init",
    "get_maxes": "maxes",
    "get_universe_size": "universe_size",
    "get_appnum": "appnum",
    "get_my_kvsname": "my_kvsname",
    "put": "put_result",
    "get": "get_result",
    "barrier_in": "barrier_out",
    "finalize": "finalize_ack",
    "publish_name": "publish_result",
    "unpublish_name": "unpublish_result",
    "lookup_name": "lookup_result",
}
"""Which command answers which."""


class Refused(OSError):
    """The server understood and said no (`rc` is not 0)."""


# -- words ----------------------------------------------------------------------------------------------------------


def line(command: str, **words: object) -> bytes:
    """Makes a line; `value` goes last, because it reaches to the end."""
    value = words.pop("value", None)
    text = " ".join([f"cmd={command}", *(f"{key}={word}" for key, word in words.items())])
    return (text if value is None else f"{text} value={value}").encode("utf-8", "surrogateescape") + b"\n"


def words(raw: bytes) -> dict[str, str]:
    """Reads a line, whatever its words' order. Raises BadMessage for what is not PMI-1."""
    rest = raw.decode("utf-8", "surrogateescape").rstrip("\r\n").lstrip()
    found: dict[str, str] = {}
    while rest:
        if rest.startswith(TEXTS):
            key, _, found[key] = rest.partition("=")
            break
        word, _, rest = rest.partition(" ")
        key, equals, text = word.partition("=")
        if equals:
            found.setdefault(key, text)
        rest = rest.lstrip()
    if not {"cmd", "mcmd"} & found.keys():
        raise BadMessage(f"not PMI-1: {raw[:60]!r}")
    return found


class Lines:
    """Cuts bytes into lines, however they arrive."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Takes the next bytes, returns the lines that are complete. Raises BadMessage when one never ends."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LINE_MAX:
            raise BadMessage(f"not PMI-1: {self._rest[:60]!r}")
        return lines


def answer(command: str, raw: bytes) -> dict[str, str]:
    """Reads the answer to a command. Raises BadMessage if it is none, Refused if the server says no."""
    found = words(raw)
    if found.get("cmd") != ANSWERS[command]:
        raise BadMessage(f"{raw[:60]!r} does not answer {command}")
    if found.get("rc", "0") != "0":
        raise Refused(int_word(found, "rc"), f"{command}: {found.get('msg', 'rc=' + found['rc'])}")
    return found


def int_word(found: dict[str, str], key: str) -> int:
    """Reads a number. Raises BadMessage if there is none."""
    try:
        return int(found.get(key, ""))
    except ValueError:
        raise BadMessage(f"no number {key} in {found}") from None


# -- server ---------------------------------------------------------------------------------------------------------


class Reply(NamedTuple):
    """Send this line to that rank."""

    rank: int
    line: bytes


class Enter(NamedTuple):
    """All ranks here are in the barrier: exchange these pairs with everybody's, then `release`."""

    pairs: dict[str, str]


class Abort(NamedTuple):
    """That rank wants the whole program ended."""

    rank: int
    code: int
    text: str


class Done(NamedTuple):
    """That rank needs no PMI any more."""

    rank: int


Action: TypeAlias = Reply | Enter | Abort | Done


class Server:
    """Serves the ranks of a program that run here; the barrier with the others is up to who asks it."""

    def __init__(
        self,
        ranks: Iterable[int],
        size: int,
        name: str,
        pairs: dict[str, str] | None = None,
        *,
        greeting: dict[str, str] | None = None,
    ) -> None:
        self.size = size
        self.name = name
        self.finalized: set[int] = set()
        self._ranks = tuple(ranks)
        self._greeting = greeting or {}
        self._pairs = dict(pairs or {})
        self._news: dict[str, str] = {}
        self._waiting: set[int] = set()
        self._spawning: set[int] = set()

    def receive(self, rank: int, raw: bytes) -> list[Action]:
        """Takes a line from a rank. Raises BadMessage for what is not PMI-1."""
        if rank in self._spawning:
            return self._spawn(rank, raw)
        found = words(raw)
        if found.get("mcmd") == "spawn":
            self._spawning.add(rank)
            return []
        command = found.get("cmd", "")
        match command:
            case "barrier_in":
                return self._enter(rank)
            case "abort":
                return [_abort(rank, found)]
            case "finalize":
                self.finalized.add(rank)
                return [Reply(rank, line("finalize_ack", rc=0)), Done(rank)]
        name = ANSWERS.get(command, f"{command}_result")
        return [Reply(rank, line(name, **self._answer(command, found)))]

    def release(self, pairs: dict[str, str]) -> list[Action]:
        """The exchange is over: `pairs` are everybody's."""
        self._pairs.update(pairs)
        waiting, self._waiting = sorted(self._waiting), set()
        return [Reply(rank, line("barrier_out", rc=0)) for rank in waiting]

    def _answer(self, command: str, found: dict[str, str]) -> dict[str, object]:
        match command:
            case "init":
                return self._init(found)
            case "get_maxes":
                return {"rc": 0, "kvsname_max": NAME_MAX, "keylen_max": KEY_MAX, "vallen_max": VALUE_MAX}
            case "get_universe_size":
                return {"rc": 0, "size": self.size}
            case "get_appnum":
                return {"rc": 0, "appnum": 0}
            case "get_my_kvsname":
                return {"rc": 0, "kvsname": self.name}
            case "put":
                return {"rc": self._put(found)}
            case "get":
                return self._get(found)
        return {"rc": FAIL, "msg": "not_implemented"}

    def _init(self, found: dict[str, str]) -> dict[str, object]:
        if int_word(found, "pmi_version") != 1:
            return {"rc": FAIL, "msg": "only_PMI-1"}
        return {"rc": 0, "pmi_version": 1, "pmi_subversion": 1, **self._greeting}

    def _put(self, found: dict[str, str]) -> int:
        key, value = found.get("key"), found.get("value")
        if key is None or value is None:
            raise BadMessage("put without key or value")
        if not key or len(key) >= KEY_MAX:
            return INVALID_KEY_LENGTH
        if len(value.encode("utf-8", "surrogateescape")) >= VALUE_MAX:
            return INVALID_VAL_LENGTH
        self._pairs[key] = self._news[key] = value
        return SUCCESS

    def _get(self, found: dict[str, str]) -> dict[str, object]:
        value = self._pairs.get(found.get("key", ""))
        return {"rc": INVALID_KEY} if value is None else {"rc": 0, "value": value}

    def _enter(self, rank: int) -> list[Action]:
        self._waiting.add(rank)
        if len(self._waiting) < len(self._ranks):
            return []
        news, self._news = self._news, {}
        return [Enter(news)]

    def _spawn(self, rank: int, raw: bytes) -> list[Action]:
        if raw.strip() != b"endcmd":
            return []
        self._spawning.discard(rank)
        return [Reply(rank, line("spawn_result", rc=FAIL))]


def _abort(rank: int, found: dict[str, str]) -> Abort:
    # MPICH says exitcode=, older Flux exit_code=; RFC 13 has neither.
    code = found.get("exitcode", found.get("exit_code", "1"))
    return Abort(rank, int(code) if code.lstrip("-").isdecimal() else 1, found.get("error_msg", ""))
