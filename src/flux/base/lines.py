"""Output in whole lines: what came so far, and what is still without its end."""


class Lines:
    """Cuts a stream into lines. A line longer than `limit` bytes is told in parts."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Takes the next bytes, b"" at the end; returns what can be told, b"" for the end."""
        if not data:
            rest, self._rest = self._rest, b""
            return [rest, b""] if rest else [b""]
        *lines, rest = (self._rest + data).split(b"\n")
        whole = [line + b"\n" for line in lines]
        if len(rest) >= self._limit:
            whole.append(rest)
            rest = b""
        self._rest = rest
        return whole


class Chunks:
    """Does the same for a stream that is told as it comes."""

    def feed(self, data: bytes) -> list[bytes]:
        """Takes the next bytes; returns them."""
        return [data]
