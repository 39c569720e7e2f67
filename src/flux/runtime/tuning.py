"""What a configuration says about the sockets of the tree, in ZeroMQ's terms."""

from typing import NamedTuple

import zmq


class Tuning(NamedTuple):
    """Seconds, counts. 0 leaves it to the system, or is no limit."""

    connect_timeout: float = 30.0
    tcp_user_timeout: float = 20.0
    child_rcvhwm: int = 0
    io_threads: int = 1
    ipv6: bool = False

    def apply(self, socket: zmq.Socket[bytes]) -> None:
        """Sets it on a socket that is not connected or bound yet."""
        socket.setsockopt(zmq.CONNECT_TIMEOUT, int(self.connect_timeout * 1000))
        socket.setsockopt(zmq.TCP_MAXRT, int(self.tcp_user_timeout * 1000))
        socket.setsockopt(zmq.IPV6, self.ipv6)
        if socket.type == zmq.ROUTER:
            socket.setsockopt(zmq.RCVHWM, self.child_rcvhwm)


DEFAULT = Tuning()


def allow_ipv6(socket: zmq.Socket[bytes], endpoint: str) -> None:
    """Lets a socket use an endpoint that is an IPv6 address. Others do not see their addresses as mapped ones."""
    if "[" in endpoint:
        socket.setsockopt(zmq.IPV6, 1)
