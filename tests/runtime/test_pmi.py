"""A broker's side of PMI-1, against servers of all kinds on a socket pair."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from flux.runtime.pmi import Bootstrap, Forked

VECTORS = Path(__file__).parent.parent / "vectors"


@contextmanager
def served(reply: Callable[[str], str], **environ: str) -> Iterator[dict[str, str]]:
    """Serves one client on a socket pair: `reply` gives the answer to each of its lines; "" hangs up."""
    ours, theirs = socket.socketpair()

    def serve() -> None:
        with ours, ours.makefile("rw", newline="\n") as stream:
            for asked in stream:
                said = reply(asked.strip())
                if not said:
                    return
                stream.write(said + "\n")
                stream.flush()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield {"PMI_FD": str(theirs.detach()), "PMI_RANK": "1", "PMI_SIZE": "2"} | environ
    finally:
        thread.join()


def recorded(name: str) -> Callable[[str], str]:
    """A server that says what a recorded one said."""
    exchanges = json.loads((VECTORS / f"pmi-{name}.json").read_text())
    answers = {exchange["client"]: exchange["server"] for exchange in exchanges}
    return lambda asked: answers[asked]


@pytest.mark.parametrize("name", ["hydra4", "hydra5", "slurm"])
def test_a_broker_boots_by_every_recorded_server(name: str) -> None:
    with served(recorded(name)) as environ:
        boot = Bootstrap(environ)
        assert (boot.rank, boot.size, boot.lifeline) == (1, 2, False)
        boot.put("k0", "hello")
        boot.barrier()
        assert boot.get("k1") == "hello"
        assert boot.get("nokey") is None
        boot.finalize()
        boot.close()


def test_without_pmi_a_broker_is_alone() -> None:
    boot = Bootstrap({})
    boot.put("a", "b")
    boot.barrier()
    assert (boot.rank, boot.size, boot.get("a"), boot.get("c"), boot.fileno()) == (0, 1, "b", None, -1)
    boot.finalize()
    boot.abort(1)
    boot.close()


@pytest.mark.parametrize(("known", "told"), [({"0": "a", "1": "b"}, True), ({"PMI_process_mapping": "m"}, False)])
def test_a_process_that_the_server_has_forked_need_not_ask_for_what_it_knows(known: dict[str, str], told: bool) -> None:
    ours, theirs = socket.socketpair()
    with ours:
        boot = Forked(theirs, 1, 2, known)
        assert (boot.rank, boot.size, boot.lifeline, boot.told) == (1, 2, True, told)
        assert [boot.get(key) for key in known] == list(known.values())
        boot.close()
        assert ours.recv(100) == b""


def test_a_process_that_the_server_has_forked_asks_for_the_rest() -> None:
    answers = {"put": "put_result rc=0", "barrier_in": "barrier_out rc=0", "get": "get_result rc=0 value=hello"}
    with served(lambda asked: "cmd=" + answers[asked.partition(" ")[0].removeprefix("cmd=")]) as environ:
        boot = Forked(socket.socket(fileno=int(environ["PMI_FD"])), 1, 2, {"a": "b"})
        boot.put("k0", "hello")
        boot.barrier()
        assert boot.get("k1") == "hello"
        boot.close()


@pytest.mark.parametrize(
    "garbage", ["HTTP/1.1 400", "cmd=maxes rc=0", "\0\xff\0", "cmd=response_to_init pmi_version=9"]
)
def test_garbage_from_a_server_is_one_clear_error(garbage: str) -> None:
    with served(lambda asked: garbage) as environ, pytest.raises(OSError, match="PMI server"):
        Bootstrap(environ)


def test_a_server_that_hangs_up_is_named() -> None:
    with served(lambda asked: "") as environ, pytest.raises(OSError, match="PMI server closed the connection"):
        Bootstrap(environ)


def test_maxes_that_are_no_numbers_are_garbage_too() -> None:
    def reply(asked: str) -> str:
        return "cmd=response_to_init rc=0 pmi_version=1" if "init" in asked else "cmd=maxes vallen_max=lots"

    with served(reply) as environ, pytest.raises(OSError, match="no number vallen_max"):
        Bootstrap(environ)


@pytest.mark.parametrize("wrong", [{"PMI_RANK": "x"}, {"PMI_SIZE": "-1"}, {"PMI_RANK": "2"}, {"PMI_SIZE": ""}])
def test_an_environment_that_makes_no_sense_is_refused(wrong: dict[str, str]) -> None:
    with served(lambda asked: "", **wrong) as environ, pytest.raises(OSError, match="PMI_"):
        Bootstrap(environ)


def test_a_descriptor_that_is_not_there_is_refused() -> None:
    with pytest.raises(OSError, match="PMI_FD=987"):
        Bootstrap({"PMI_FD": "987", "PMI_RANK": "0", "PMI_SIZE": "1"})


def test_a_value_too_long_for_the_server_is_refused_here() -> None:
    with served(recorded("hydra5")) as environ:
        boot = Bootstrap(environ)
        with pytest.raises(OSError, match="takes 1024"):
            boot.put("card", "x" * 2000)
        boot.close()
