"""A process manager that knows PMI-1 and nothing else: what starts brokers on many hosts, without a configuration."""

import selectors
from contextlib import suppress
from socket import SHUT_RDWR, socket, socketpair
from threading import Thread

from flux.wire.pmi import MAPPING_KEY, Action, Enter, Lines, Reply, Server


class Manager:
    """Serves PMI-1 to one broker on each of `size` hosts; each ends when it is closed, if it has not ended before."""

    def __init__(self, size: int) -> None:
        mapping = {MAPPING_KEY: f"(vector,(0,{size},1))"}
        self._server = Server(range(size), size, "", mapping, greeting={"lifeline": "1"})
        pairs = [socketpair() for _ in range(size)]
        self._ours: list[socket] = [ours for ours, _ in pairs]
        self.theirs: list[socket] = [theirs for _, theirs in pairs]
        self._thread = Thread(target=self._serve)

    def serve(self) -> None:
        """Serves, once all brokers have been started: from now on they alone have their ends of the sockets."""
        for sock in self.theirs:
            sock.close()
        self._thread.start()

    def close(self) -> None:
        """Serves no more."""
        for sock in self._ours:
            with suppress(OSError):
                sock.shutdown(SHUT_RDWR)
        if self._thread.ident is not None:
            self._thread.join()
        for sock in (*self._ours, *self.theirs):
            sock.close()

    def _serve(self) -> None:
        with selectors.DefaultSelector() as ready:
            for rank, sock in enumerate(self._ours):
                ready.register(sock, selectors.EVENT_READ, (rank, Lines()))
            while ready.get_map():
                for key, _ in ready.select():
                    rank, lines = key.data
                    data = self._ours[rank].recv(65536)
                    if not data:
                        ready.unregister(key.fileobj)
                    for line in lines.feed(data):
                        self._do(self._server.receive(rank, line))

    def _do(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Reply(rank, line):
                    self._ours[rank].sendall(line)
                case Enter(pairs):
                    self._do(self._server.release(pairs))
