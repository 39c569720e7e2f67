"""What our client sends is what flux-core's own client was recorded to send."""

import json
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from flux.core.handle import Flux

TRANSCRIPTS = Path(__file__).parent.parent / "vectors" / "transcripts"


def recorded(name: str) -> list[tuple[str, bytes]]:
    stream = json.loads((TRANSCRIPTS / f"{name}.json").read_text())["stream"]
    return [(chunk["from"], bytes.fromhex(chunk["hex"])) for chunk in stream]


class Player(threading.Thread):
    """Plays the broker's part of a recording; keeps what the client said in place of the recorded client."""

    def __init__(self, path: str, stream: list[tuple[str, bytes]]) -> None:
        super().__init__()
        self.heard: list[bytes] = []
        self._stream = stream
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen()

    def run(self) -> None:
        peer, _ = self._listener.accept()
        with peer, self._listener:
            for speaker, data in self._stream:
                if speaker == "broker":
                    peer.sendall(data)
                else:
                    self.heard.append(peer.recv(1 << 20))


def ping(h: Flux) -> None:
    h.attr_get("hostlist")
    for _, data in recorded("ping")[3::2]:
        payload = json.loads(data[data.index(b"{") : data.index(b"}") + 1])
        assert h.rpc("broker.ping", payload).get()["rank"] == 0


def getattr_size(h: Flux) -> None:
    assert h.attr_get("size") == "4"


@pytest.mark.parametrize(("name", "act"), [("ping", ping), ("getattr", getattr_size)])
def test_a_recorded_command_says_the_same(name: str, act: Callable[[Flux], None], tmp_path: Path) -> None:
    stream = recorded(name)
    player = Player(str(tmp_path / "local"), stream)
    player.start()
    with Flux(f"local://{tmp_path}/local") as h:
        act(h)
    player.join()
    assert player.heard == [data for speaker, data in stream if speaker == "client"]


@pytest.mark.parametrize("path", sorted(TRANSCRIPTS.glob("*.json")), ids=lambda path: path.stem)
def test_whatever_a_broker_was_recorded_to_say_is_understood(path: Path, tmp_path: Path) -> None:
    conns = json.loads(path.read_text())["stream"]
    first = conns[0]["conn"]
    said = [bytes.fromhex(c["hex"]) for c in conns if c["conn"] == first and c["from"] == "broker"]
    player = Player(str(tmp_path / "local"), [("broker", b"".join(said))])
    player.start()
    with Flux(f"local://{tmp_path}/local") as h, pytest.raises(ConnectionResetError, match="lost connection"):
        while True:
            h.wait()
    player.join()
    assert len(h.inbox) == len(said) - 1
