"""Reading a stream."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from flux.base.streamlog import Fold, Said
from flux.constants import FLUX_RPC_NORESPONSE
from flux.stream.reading import Reading

if TYPE_CHECKING:
    from flux.core.handle import Flux


class Reader:
    """Reads the stream at `key`: `for said in Reader(h, key): said.data, said.stream, said.rank, said.end, said.time`.

    Without `follow` what is there; with it also what will be written, until the stream has ended. `wait` waits for one
    that is not there, which is else FileNotFoundError. `tail` is how many lines of what is there are wanted (0: only
    what is written from now on); without it, all. As much is under way as a few MiB, however slow the reader is.
    OSError(EINVAL) for what is no stream, or was begun anew meanwhile.
    """

    def __init__(
        self,
        flux_handle: "Flux",
        key: str,
        *,
        namespace: str | None = None,
        follow: bool = False,
        wait: bool = False,
        tail: int | None = None,
    ) -> None:
        self._handle, self._reading = flux_handle, Reading(key, namespace, follow, wait, tail)
        self._answers = flux_handle.stream(Reading.topic, self._reading.payload)

    @property
    def fold(self) -> Fold:
        """What is known of what has been read."""
        return self._reading.fold

    @property
    def ended(self) -> bool:
        """Whether the end of the stream has been read."""
        return self._reading.fold.ended

    @property
    def remarks(self) -> list[str]:
        """What was found to be missing in it: a writer has died, say."""
        return self._reading.fold.remarks

    def __iter__(self) -> Iterator[Said]:
        reading = self._reading
        with self._answers as answers:
            for answer in answers:
                yield from reading.take(answer)
                if self.ended:
                    return
                credit = reading.due()
                if credit:
                    payload = {"matchtag": answers.rpc.matchtag, "size": credit}
                    self._handle.rpc("kvs-watch.credit", payload, flags=FLUX_RPC_NORESPONSE)
        yield from reading.rest()

    def close(self) -> None:
        """Reads no more."""
        self._answers.close()
