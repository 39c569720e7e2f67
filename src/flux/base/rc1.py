"""Run level 1: the modules of a session, loaded in process. A table, so that no process is needed to boot."""

from flux.base.modprobe import Entry

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
    Entry("modctl"),
)
"""In the order in which they are loaded, and from the last on unloaded. `modctl` is the last: it adds to it."""
