"""`flux ping`: asks a service again and again, and shows how long it takes to answer, and the way there."""

import time
from errno import EINVAL
from typing import Any, NamedTuple

from flux.commands.complaint import reason
from flux.commands.parser import Parser, command_parser, count, duration, size
from flux.constants import FLUX_NODEID_ANY, FLUX_NODEID_RING, FLUX_NODEID_UPSTREAM
from flux.core.handle import Flux
from flux.rpc import RPC

EXAMPLES = """\
  flux ping 3                         the broker of rank 3
  flux ping --count 5 kvs             the nearest kvs service
  flux ping '3!kvs'                   that of rank 3; the same as --rank 3 kvs
  flux ping --ring 3                  the broker of rank 3, round the ring
  flux ping -c 1000 -i 0 --batch 1    a thousand at once
  flux ping -r 0-63 kvs               many ranks by one request: the times of the first, on average, of the last
"""

NODES = {"any": FLUX_NODEID_ANY, "upstream": FLUX_NODEID_UPSTREAM}


def parser() -> Parser:
    """The options of `flux ping`."""
    made = command_parser("ping", "Measure the round trip to a service.", EXAMPLES)
    made.add_argument(
        "-r", "--rank", metavar="RANK", help="where the service is: a rank, several, all, a host, any, upstream"
    )
    made.add_argument("-p", "--pad", type=size, default=0, metavar="N", help="send N bytes more (with k, M or G)")
    made.add_argument("-i", "--interval", type=duration, default=1.0, metavar="N", help="seconds between requests (1)")
    made.add_argument("-c", "--count", type=count, default=0, metavar="N", help="end after N requests")
    made.add_argument("-b", "--batch", action="store_true", help="send all requests before looking at the answers")
    made.add_argument("--ring", action="store_true", help="go round the ring instead of through the tree; needs a rank")
    made.add_argument("-u", "--userid", action="store_true", help="show who the service thinks is asking")
    made.add_argument("target", metavar="TARGET", help="a service, a rank or a host, or RANK!SERVICE")
    return made


def main(argv: list[str]) -> int:
    """Runs `flux ping`."""
    made = parser()
    args = made.parse_args(argv)
    if args.batch and not args.count:
        made.error("--batch should only be used with --count")
    if args.rank is not None and "!" in args.target:
        made.error("--rank and TARGET both try to specify a nodeid")
    where, bang, service = args.target.partition("!") if args.rank is None else (args.rank, "!", args.target)
    if not (service if bang else where):
        made.error(f"TARGET '{args.target}' names no service")
    with Flux() as handle:
        if bang and several(where):
            if args.ring:
                raise OSError(EINVAL, f"{where}: --ring goes to one rank")
            from flux.commands.roundtrip import Roundtrip

            print(f"flux-ping {where}!{service}", flush=True)
            return Roundtrip(handle, where, service, args.pad).run(args.count, args.interval)
        target = find(handle, f"{where}{bang}{service}")
        if args.ring:
            if target.nodeid in NODES.values():
                raise OSError(EINVAL, f"{args.target}: --ring goes to a rank")
            target = target._replace(nodeid=target.nodeid | FLUX_NODEID_RING)
        print(f"flux-ping {target.title}", flush=True)
        Pinger(handle, target, args.pad, args.userid).run(args.count, args.interval, args.batch)
    return 0


class Target(NamedTuple):
    """A service of one broker, or of any."""

    nodeid: int
    service: str
    title: str

    @property
    def name(self) -> str:
        """As it is named in complaints."""
        rank = f"{self.nodeid & ~FLUX_NODEID_RING}!"
        where = {FLUX_NODEID_ANY: "", FLUX_NODEID_UPSTREAM: "upstream!"}.get(self.nodeid, rank)
        return f"{where}{self.service}.ping"


def several(text: str) -> bool:
    """Whether that names more than one rank: `all`, or an idset."""
    return text == "all" or (text[:1].isdecimal() and any(mark in text for mark in ",-")) or text[:1] == "["


def find(handle: Flux, text: str) -> Target:
    """Reads NODE!SERVICE, NODE or SERVICE. OSError(EINVAL) for a node that is neither a rank nor a host."""
    node, bang, service = text.partition("!")
    found = _node(handle, node)
    if found is None and bang:
        raise OSError(EINVAL, f"invalid nodeid/host: '{node}'")
    if found is None:
        return Target(FLUX_NODEID_ANY, text, f"any!{text}")
    service = service if bang else "broker"
    host = "" if node in NODES or node.isdecimal() else f" (rank {found})"
    return Target(found, service, f"{node}!{service}{host}")


def _node(handle: Flux, text: str) -> int | None:
    if text in NODES:
        return NODES[text]
    if text.isascii() and text.isdecimal():
        return int(text)
    return _rank_of_host(handle, text)


def _rank_of_host(handle: Flux, host: str) -> int | None:
    from flux.base.hostlist import Hostlist

    try:
        return Hostlist(handle.attr_get("hostlist")).find(host)
    except OSError:
        return None


class Pinger:
    """Sends requests on time, whatever the answers do, and shows the answers as they come."""

    def __init__(self, handle: Flux, target: Target, pad: int, userid: bool) -> None:
        self._handle, self._target, self._userid = handle, target, userid
        self._pad = "p" * pad
        self._sent = 0
        self._limit = 0

    def run(self, limit: int, interval: float, batch: bool) -> None:
        """Sends `limit` requests (0: without an end) `interval` seconds apart. OSError is the first bad answer."""
        self._limit = limit
        if batch:
            while self._sent < limit:
                self._send()
                time.sleep(interval)
        else:
            self._handle.timer_watcher_create(0, self._tick, repeat=interval).start()
        self._handle.reactor_run()

    def _tick(self, handle: Flux, timer: Any, revents: int, args: Any) -> None:
        self._send()
        if self._sent == self._limit:
            timer.stop()
        elif not timer.repeat:
            timer.reset(0)

    def _send(self) -> None:
        begun = time.monotonic_ns()
        payload = {
            "seq": self._sent,
            "time.tv_sec": begun // 1_000_000_000,
            "time.tv_nsec": begun % 1_000_000_000,
            "pad": self._pad,
        }
        self._sent += 1
        self._handle.rpc(f"{self._target.service}.ping", payload, nodeid=self._target.nodeid).then(self._show)

    def _show(self, rpc: RPC) -> None:
        try:
            answer = rpc.get()
        except OSError as error:
            raise OSError(error.errno, f"{self._target.name}: {reason(error)}") from None
        if answer["pad"] != self._pad:
            raise OSError(EINVAL, f"{self._target.name}: padding contents invalid")
        elapsed = time.monotonic_ns() - answer["time.tv_sec"] * 1_000_000_000 - answer["time.tv_nsec"]
        user = f" userid={answer['userid']} rolemask={answer['rolemask']:#x}" if self._userid else ""
        print(
            f"{answer['rank']}!{self._target.service}.ping pad={len(self._pad)}{user} "
            f"seq={answer['seq']} time={elapsed / 1e6:0.3f} ms ({answer['route']})",
            flush=True,
        )
