"""The answers to one streaming request, for a loop."""

from contextlib import suppress
from errno import ENODATA
from typing import Any, Self

from flux.rpc import RPC
from flux.wire.payload import decode_item


class Stream:
    """Iterate over it: answers are dicts, or text where a service sends no JSON objects (a log's lines).

    When the loop ends early the service is told: by `close`, `with`, or when nobody refers to the stream any more.
    """

    def __init__(self, rpc: RPC) -> None:
        self.rpc = rpc
        self._ended = False

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        if self._ended:
            raise StopIteration
        try:
            answer = decode_item(self.rpc.data())
        except OSError as error:
            self._ended = True
            if error.errno == ENODATA:
                raise StopIteration from None
            raise
        self.rpc.reset()
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        with suppress(OSError):
            self.close()

    def cancel(self) -> None:
        """Asks the service to end the stream; what it had sent still comes."""
        self.rpc.cancel()

    def close(self) -> None:
        """Takes no more answers, and tells the service."""
        if not self._ended:
            self._ended = True
            self.rpc.forget()
            self.rpc.cancel()
