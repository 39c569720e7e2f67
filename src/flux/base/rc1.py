"""Run level 1: the modules of a session, loaded in process. A table, so that no process is needed to boot."""

from flux.base.modprobe import Entry


def scheduler(name: str) -> Entry:
    """One of the schedulers."""
    below = ("resource", "job-manager")
    return Entry(name, ranks="0", provides=("sched", "feasibility"), requires=below, after=below)


MODULES = (
    Entry("heartbeat"),
    Entry("live", requires=("heartbeat",)),
    Entry("content", requires=("heartbeat", "content-backing")),
    Entry("content-files", ranks="0", provides=("content-backing",), after=("content",)),
    Entry("content-memory", ranks="0", provides=("content-backing",), after=("content",)),
    Entry("content-s3", ranks="0", provides=("content-backing",), after=("content",)),
    Entry("content-sqlite", ranks="0", provides=("content-backing",), after=("content",)),
    Entry("kvs", requires=("content", "heartbeat"), after=("content-backing", "content")),
    Entry("kvs-watch", requires=("kvs", "content"), after=("kvs",)),
    Entry("barrier"),
    Entry("reduce"),
    Entry("seq", ranks="0"),
    Entry("stream", ranks="0", requires=("kvs", "content"), after=("kvs",)),
    Entry("rexec"),
    Entry("wreck"),
    Entry("resource", requires=("kvs",), after=("kvs",)),
    Entry("job-manager", ranks="0", requires=("kvs",), after=("kvs",)),
    scheduler("sched-backfill"),
    scheduler("sched-fifo"),
    scheduler("sched-simple"),
    Entry("job-ingest", ranks="0", requires=("job-manager",), after=("job-manager",)),
    Entry("job-exec", ranks="0", requires=("job-manager", "wreck"), after=("job-manager", "wreck")),
    Entry("job-info", ranks="0", requires=("kvs-watch",), after=("kvs-watch",)),
    Entry("job-list", ranks="0", requires=("job-manager",), after=("job-manager",)),
    Entry("modctl"),
)
"""In the order in which they are loaded, and from the last on unloaded. `modctl` is the last: it adds to it."""
