"""The benches: each measures some figures of a contender."""

from collections.abc import Callable
from tempfile import TemporaryDirectory

from bench import memory
from bench.contender import Contender, Value

Found = dict[str, Value]
Bench = Callable[[Contender], Found]

LARGE = "not tried"
"""Said of sessions that other than ours would take minutes to start."""


def boot(flux: Contender) -> Found:
    """Start a session, do nothing in it, end it."""
    return {f"boot.{size}": flux.wall("start", "-s", str(size), "true") for size in (1, 8, 32)}


def boot128(flux: Contender) -> Found:
    """The same, large."""
    return {"boot128": flux.wall("start", "-s", "128", "true") if flux.ours else LARGE}


def rpc(flux: Contender) -> Found:
    """A client and its broker."""
    return flux.measure(1, "rpc", "rpc", flux.times(20_000, 1_000), "0")


def hops(flux: Contender) -> Found:
    """A client of rank 0 and rank 7: on a tree of twos, 7 -> 3 -> 1 -> 0."""
    return flux.measure(8, "rpc", "hops", flux.times(10_000, 1_000), "7", options=("-Stbon.topo=kary:2",))


def load(flux: Contender) -> Found:
    """A client whose broker has others to serve: as many for whoever is measured."""
    return flux.measure(1, "load", flux.times(5_000, 500))


def events(flux: Contender) -> Found:
    """A publisher that hears itself."""
    return flux.measure(1, "events", flux.times(20_000, 1_000))


def kvs(flux: Contender) -> Found:
    """Small commits by one and by many, lookups, and one large commit."""
    return flux.measure(1, "kvs", flux.times(2_000, 100))


def kvsdisk(flux: Contender) -> Found:
    """The same in a session that can be started again: what was acknowledged is on its way to the disk."""
    with TemporaryDirectory() as state:
        options = (f"-Sstatedir={state}",)
        return flux.measure(1, "kvs", flux.times(2_000, 200), "kvsdisk", options=options)


def kvsranks(flux: Contender) -> Found:
    """Keys of a session of eight: on a tree of twos, 7 -> 3 -> 1 -> 0."""
    return flux.measure(8, "kvsranks", flux.times(100, 8), options=("-Stbon.topo=kary:2",))


def kvsgrowth(flux: Contender) -> Found:
    """A directory of a million keys."""
    if not flux.ours:
        return dict.fromkeys((f"kvsgrowth.{what}" for what in ("few", "many", "fill", "gc", "stall", "bytes")), LARGE)
    with TemporaryDirectory() as state:
        options = (f"-Sstatedir={state}",)
        return flux.measure(1, "kvsgrowth", flux.times(1_000_000, 5_000), options=options)


def barrier(flux: Contender) -> Found:
    """A process on each of eight brokers; all go through many barriers together."""
    return flux.measure(8, "barrier", flux.times(500, 20))


def size(flux: Contender) -> Found:
    """What takes longer the more brokers there are."""
    found: Found = {}
    for count in (8, 32, 64) if flux.ours else (8, 32):
        which = ("reduce", "rank") if flux.ours else ("kvs-watch", "exec")
        found |= flux.measure(count, "size", flux.times(9, 3), *which)
        met = flux.measure(count, "barrier", flux.times(200, 20))["barrier"]
        found[f"size.barrier.{count}"] = met if isinstance(met, str) else met / 1e3
    return found


def heal(flux: Contender) -> Found:
    """A tree of twos whose rank 1 is killed, or stopped."""
    if not flux.ours:
        return dict.fromkeys(("heal.kill", "heal.stop", "heal.slow"), "its subtree is lost")
    found: Found = {}
    for name, signal, period in (("kill", "SIGKILL", "0.2s"), ("stop", "SIGSTOP", "0.2s"), ("slow", "SIGSTOP", "2s")):
        options = ("-Stbon.topo=kary:2", f"-Sheartbeat.period={period}")
        found[f"heal.{name}"] = flux.measure(15, "heal", signal, options=options)["took"]
    return found


def jobs(flux: Contender) -> Found:
    """Jobs that do nothing, one on each core."""
    return flux.measure(1, "jobs", flux.times(1_000, 100) if flux.ours else flux.times(300, 50))


def mock(flux: Contender) -> Found:
    """Jobs that are not even started."""
    return flux.measure(1, "jobs", flux.times(1_000, 100), "mock", "0.001s")


def submit(flux: Contender) -> Found:
    """The commands."""
    return flux.measure(1, "walls", "submit", flux.times(15, 3), "submit", "true")


def run(flux: Contender) -> Found:
    """A job that does nothing."""
    return flux.measure(1, "walls", "run", flux.times(15, 3), "run", "true")


def stdout(flux: Contender) -> Found:
    """A job that says much, also when time is short: of a few lines nearly all is what `flux run` takes to start."""
    return flux.measure(1, "stdout", "300000", "30000", *(("--stream", "kept.{{id}}") if flux.ours else ()))


def mpi(flux: Contender) -> Found:
    """Processes that find each other through PMI, with the MPI of this Flux's Python."""
    return flux.measure(4, "mpi", flux.times(5))


def startup(flux: Contender) -> Found:
    """Commands that ask one thing."""
    return flux.measure(1, "walls", "startup.kvs", flux.times(40, 3), "kvs", "get", "a") | flux.measure(
        1, "walls", "startup.attr", flux.times(40, 3), "getattr", "size"
    )


def pss(flux: Contender) -> Found:
    """What a session costs that does nothing."""
    return {"memory": memory.session(flux, 8)}


BENCHES: dict[str, Bench] = {
    "boot": boot,
    "boot128": boot128,
    "rpc": rpc,
    "hops": hops,
    "load": load,
    "events": events,
    "kvs": kvs,
    "kvsdisk": kvsdisk,
    "kvsranks": kvsranks,
    "kvsgrowth": kvsgrowth,
    "barrier": barrier,
    "size": size,
    "heal": heal,
    "jobs": jobs,
    "mock": mock,
    "submit": submit,
    "run": run,
    "stdout": stdout,
    "mpi": mpi,
    "startup": startup,
    "memory": pss,
}
