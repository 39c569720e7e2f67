"""What is measured: each figure, its unit, and the least that we want of it."""

from typing import NamedTuple


class Times(NamedTuple):
    """At least so many times as good as the other Flux."""

    factor: float

    def __str__(self) -> str:
        return f"{self.factor:g} x"

    def met(self, ours: float, ratio: float | None) -> bool | None:
        """Whether we are there; None when there is nothing to compare with."""
        return None if ratio is None else ratio >= self.factor


class Under(NamedTuple):
    """Less than so much, whatever others do."""

    limit: float

    def __str__(self) -> str:
        return f"< {self.limit:g}"

    def met(self, ours: float, ratio: float | None) -> bool | None:
        """Whether we are there."""
        return ours < self.limit


class Figure(NamedTuple):
    """One line of the table."""

    name: str
    text: str
    unit: str
    least: Times | Under | None = None

    @property
    def bench(self) -> str:
        """Who measures it."""
        return self.name.partition(".")[0]

    def ratio(self, ours: float, other: float) -> float:
        """How many times as good ours is: more a second, or less of everything else."""
        return ours / other if self.unit == "/s" else other / ours


FIGURES = (
    Figure("boot.1", "flux start -s 1 true", "s"),
    Figure("boot.8", "flux start -s 8 true", "s", Times(12)),
    Figure("boot.32", "flux start -s 32 true", "s", Times(25)),
    Figure("boot128", "flux start -s 128 true", "s", Under(3)),
    Figure("rpc.one", "RPC to own broker, one at a time", "us", Times(2.5)),
    Figure("rpc.many", "RPC to own broker, pipelined", "/s", Times(3)),
    Figure("hops.one", "RPC over three hops, one at a time", "us", Times(1.5)),
    Figure("hops.many", "RPC over three hops, pipelined", "/s"),
    Figure("load.p50", "RPC among 2,000 others a second, median", "us"),
    Figure("load.p99", "RPC among 2,000 others a second, p99", "us"),
    Figure("events", "events published and received", "/s"),
    Figure("kvs.commit", "kvs put and commit, 1 client", "/s", Times(6)),
    Figure("kvs.commit8", "kvs put and commit, 8 clients", "/s", Times(6)),
    Figure("kvs.get", "kvs get", "/s", Times(2.5)),
    Figure("kvs.bulk", "kvs: keys of one commit of 5,000", "/s", Times(1.2)),
    Figure("kvsdisk.commit", "with a state directory, 1 client", "/s", Times(4)),
    Figure("kvsdisk.commit8", "with a state directory, 8 clients", "/s"),
    Figure("kvsdisk.get", "with a state directory, get", "/s"),
    Figure("kvsdisk.bulk", "with a state directory, one commit of 5,000", "/s", Times(1.2)),
    Figure("kvsranks.cold", "kvs get on rank 7, never seen there", "us"),
    Figure("kvsranks.warm", "kvs get on rank 7, seen before", "us"),
    Figure("kvsranks.watch", "a commit until 64 watchers on 8 ranks have it", "ms"),
    Figure("kvsranks.unique", "fence of 64 callers on 8 ranks, values of their own", "ms"),
    Figure("kvsranks.equal", "fence of 64 callers on 8 ranks, the same value", "ms"),
    Figure("kvsgrowth.few", "commit of one of 1,000 keys of a directory", "us"),
    Figure("kvsgrowth.many", "commit of one of 1,000,000", "us"),
    Figure("kvsgrowth.fill", "keys of commits of 1,000, up to 1,000,000", "/s"),
    Figure("kvsgrowth.gc", "collection of garbage after that", "s"),
    Figure("kvsgrowth.stall", "longest commit meanwhile", "ms", Under(50)),
    Figure("kvsgrowth.bytes", "bytes on the disk for each key", "B", Under(400)),
    Figure("barrier", "barrier of 8 brokers", "us"),
    *(
        Figure(f"size.{what}.{size}", f"{text}, {size} brokers", "ms")
        for what, text in (
            ("exec", "flux exec -r all true"),
            ("barrier", "barrier"),
            ("broadcast", "event to all"),
            ("load", "a module off all and on again"),
        )
        for size in (8, 32, 64)
    ),
    Figure("heal.kill", "whole again after kill -9 of rank 1 of 15", "s", Under(2)),
    Figure("heal.stop", "the same, stopped, heartbeat 0.2 s", "s", Under(2)),
    Figure("heal.slow", "the same, stopped, heartbeat 2 s", "s", Under(15)),
    Figure("run", "flux run true", "ms", Times(2)),
    Figure("stdout.lines", "lines through flux run (300,000)", "/s", Times(20)),
    Figure("stdout.kept", "the same, kept in the key-value store", "/s", Times(20)),
    Figure("stdout.bytes", "bytes through flux run, lines of 1 KB", "/s"),
    Figure("mpi", "MPI hello, 4 ranks", "ms"),
    Figure("jobs.done", "jobs that do nothing, submitted and done", "/s", Times(20)),
    Figure("jobs.submit", "jobs submitted", "/s", Times(4)),
    Figure("mock.done", "mock jobs, submitted and done", "/s", Times(5)),
    Figure("mock.submit", "mock jobs submitted", "/s", Times(4)),
    Figure("submit", "flux submit true", "ms", Times(2)),
    Figure("startup.kvs", "flux kvs get", "ms", Under(45)),
    Figure("startup.attr", "flux getattr", "ms"),
    Figure("memory", "memory of a session of 8 (PSS)", "MB", Under(75)),
)
