"""The roots that one broker knows: told of by event, asked for where they are not, and who may see them."""

from collections.abc import Callable, Iterable
from errno import ENOTSUP, EPERM
from functools import partial
from typing import Any

from flux.modules.kvs.roots import Root, Roots
from flux.service import LATER, Call, Later, Service, event, request
from flux.wire.message import OWNER, USER, Event, Response


class Rooted(Service):
    """Follows the roots of the namespaces that somebody here asks about, one snapshot after the other."""

    roots: Roots

    def passed(self, names: Iterable[str], errnum: int, event: Event) -> None:
        """Some transactions are done, or refused: who waits for them here goes on."""

    @event("kvs.namespace-")
    def told_of_root(self, event: Event) -> None:
        """Rank 0 has a new root of a namespace, or none any more."""
        told, what = event.body(), event.topic.rpartition("-")[2]
        if what == "error":
            self.passed(told["names"], told["errnum"], event)
            return
        namespace = told["namespace"]
        if self.host.rank != 0 and self.roots.followed(namespace):
            if what == "removed":
                self.roots.remove(namespace, ENOTSUP)
            else:
                self.roots.arrive(told)
        if what == "setroot":
            self.passed(told["names"], 0, event)

    def with_root(self, call: Call, namespace: str, do: Callable[[Root], None]) -> Later:
        """Does something with the root of a namespace, now or when it is known."""
        root = self.roots.find(namespace)
        if root is None:
            self.wait_for_root(call, namespace, lambda: self.with_root(call, namespace, do))
        elif self.permits(call, root):
            do(root)
        else:
            call.refuse(EPERM)
        return LATER

    def permits(self, call: Call, root: Root) -> bool:
        """Whether a caller may see a namespace."""
        return bool(call.request.rolemask & OWNER) or call.request.userid == root.owner

    def wait_for_root(self, call: Call, namespace: str, again: Callable[[], Any]) -> None:
        """Does something again when the root of a namespace has come; refuses if it does not."""
        if self.host.rank == 0:
            call.refuse(ENOTSUP)
        elif self.roots.wait(namespace, lambda errnum: call.refuse(errnum) if errnum else again()):
            self._ask_root(namespace)

    def _ask_root(self, namespace: str) -> None:
        self.send_request("kvs.getroot", {"namespace": namespace}, partial(self._got_root, namespace), nodeid=0)

    def _got_root(self, namespace: str, response: Response) -> None:
        if response.errnum:
            self.roots.fail(namespace, response.errnum)
        else:
            self.roots.arrive(response.body())

    def events_lost(self) -> None:
        """Asks for the roots again; questions that come meanwhile wait for them."""
        if self.host.rank != 0:
            for namespace in self.roots.doubt():
                self._ask_root(namespace)

    @request(allow=USER)
    def getroot(self, call: Call, *, namespace: str) -> Later:
        """Gives the root of a namespace. ENOTSUP if there is no such namespace."""
        return self.with_root(call, namespace, lambda root: call.respond(root.described()))

    @request(allow=USER)
    def wait_version(self, call: Call, *, rootseq: int, namespace: str) -> Later:
        """Answers when the root has reached that sequence number."""

        def told(root: Root | None) -> None:
            if root is None:
                call.refuse(ENOTSUP, f"namespace {namespace} was removed")
            else:
                call.respond(root.version())

        def wait(root: Root) -> None:
            if call.closed:  # the caller left while the root was asked for
                return
            call.on_close = lambda: root.forget(told)
            root.when(rootseq, told)

        return self.with_root(call, namespace, wait)

    @request(allow=USER)
    def setroot_pause(self, call: Call, *, namespace: str) -> None:
        """Lets this broker's view of a namespace stay as it is (for tests)."""
        self._check_test(call, namespace)
        self.roots.pause(namespace)

    @request(allow=USER)
    def setroot_unpause(self, call: Call, *, namespace: str) -> None:
        """Lets this broker's view of a namespace move again (for tests)."""
        self._check_test(call, namespace)
        self.roots.go_on(namespace)

    def _check_test(self, call: Call, namespace: str) -> None:
        root = self.roots.find(namespace)
        if root is None:
            raise OSError(ENOTSUP, f"no namespace {namespace} here")
        if not self.permits(call, root):
            raise OSError(EPERM, f"namespace {namespace} is somebody else's")
