"""New job ids (RFC 19). Pure: it is told the time."""

from flux.base.jobid import compose


class JobIDs:
    """Ids that this broker gives out: no two alike, each greater than the one before."""

    def __init__(self, rank: int) -> None:
        self._generator = rank & 0x3FFF
        self._milliseconds = self._sequence = 0

    def next(self, milliseconds: int) -> int:
        """An id for something that begins so long after the instance did."""
        if milliseconds > self._milliseconds:
            self._milliseconds, self._sequence = milliseconds, 0
        elif self._sequence < 1023:
            self._sequence += 1
        else:
            self._milliseconds, self._sequence = self._milliseconds + 1, 0
        return compose(self._milliseconds, self._generator, self._sequence)
