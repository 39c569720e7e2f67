"""Lookups on one broker: from its own view, loading what is not at hand."""

from collections.abc import Callable, Iterable
from errno import EINVAL, EIO, ENOENT, EPERM, EPROTO
from functools import partial
from typing import Any

from flux.base import blobref, treeobj
from flux.modules.kvs.committer import Asker
from flux.modules.kvs.dirs import Dirs
from flux.modules.kvs.lookup import Lookup
from flux.modules.kvs.pages import Missing
from flux.modules.kvs.rooted import Rooted
from flux.modules.kvs.roots import UnknownRoot
from flux.service import LATER, Call, Later, request
from flux.wire.message import OWNER, USER, Response

LOOKUP_PLUS = "kvs.lookup-plus"


class Lookups(Rooted):
    """Answers what is at a key, in a namespace as it is now or below a directory."""

    dirs: Dirs
    faults = 0
    """Blobs that were not at hand."""

    @request(allow=USER)
    def lookup(
        self,
        call: Call,
        *,
        key: str,
        flags: int,
        namespace: str | None = None,
        rootdir: Any = None,
        rootseq: int = -1,
        large: int = 0,
    ) -> Later:
        """Gives what is at a key, in a namespace as it is now, or below the directory that `rootdir` refers to.

        The owner may have the references of a value of more than `large` bytes, to load it as it is.
        """
        large = large if call.request.rolemask & OWNER else 0
        lookup = Lookup(key, flags, self.dirs, partial(self._rootref, call), large)
        return self._look_in(call, lookup, namespace, rootdir, rootseq)

    @request(allow=USER)
    def lookup_plus(
        self, call: Call, *, key: str, flags: int, namespace: str | None = None, rootdir: Any = None, rootseq: int = -1
    ) -> Later:
        """As lookup, with the root that the answer is from; that there is nothing is an answer too."""
        lookup = Lookup(key, flags, self.dirs, partial(self._rootref, call))
        return self._look_in(call, lookup, namespace, rootdir, rootseq)

    def _look_in(self, call: Call, lookup: Lookup, namespace: str | None, rootdir: Any, rootseq: int) -> Later:
        if rootdir is not None:
            self._look(call, lookup.below(_dirref(rootdir), rootseq))
            return LATER
        if namespace is None:
            raise OSError(EPROTO, "either namespace or rootdir is needed")
        return self.with_root(call, namespace, lambda root: self._look(call, lookup.below(root.ref, root.seq)))

    def _look(self, call: Call, lookup: Lookup) -> None:
        """Answers a lookup, now or when what it lacks has come."""
        again = partial(self._look, call, lookup)
        plus = call.request.topic == LOOKUP_PLUS
        version = {"rootseq": lookup.seq, "rootref": lookup.root} if plus else {}
        try:
            call.respond({"val": lookup.answer(), **version})
        except Missing as missing:
            self.keep(call)
            self.fetch(missing.refs, lookup, again)
        except UnknownRoot as unknown:
            self.keep(call)
            self.wait_for_root(call, unknown.namespace, again)
        except OSError as error:
            if plus and error.errno == ENOENT:
                call.respond({"errno": ENOENT, **version})
            else:
                call.refuse(error.errno or EIO)

    def _rootref(self, call: Call, namespace: str) -> str:
        """The root that a link into another namespace leads to."""
        root = self.roots.find(namespace)
        if root is None:
            raise UnknownRoot(namespace)
        if not self.permits(call, root):
            raise OSError(EPERM, f"namespace {namespace} is somebody else's")
        return root.ref

    def fetch(self, refs: Iterable[str], asker: Asker, again: Callable[[], None]) -> None:
        """Loads blobs for somebody who lacks them; calls `again` when all have come, or will not come."""
        open_refs = set(refs)
        self.faults += len(open_refs)

        def told(ref: str, response: Response) -> None:
            if response.errnum:
                asker.lose(ref, OSError(response.errnum, response.text()))
            else:
                asker.take(ref, response.payload() or b"")
            open_refs.discard(ref)
            if not open_refs:
                again()

        for ref in list(open_refs):
            self.send_request("content.load", blobref.digest(ref), partial(told, ref))


def _dirref(obj: Any) -> str:
    """The blob that a directory reference refers to. Raises EINVAL."""
    if treeobj.validate(obj)["type"] != "dirref":
        raise OSError(EINVAL, "rootdir is not a directory reference")
    return str(obj["data"][0])
