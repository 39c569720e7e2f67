"""A program's own log records, in the form that the log service takes (RFC 5424)."""

import os
import sys
from time import gmtime, strftime, time

FACILITY_USER = 1


def records(level: int, text: str, host: str) -> list[bytes]:
    """Makes one record for each line of `text`; `host` is where it was said, for a broker's log its rank."""
    now = time()
    stamp = f"{strftime('%Y-%m-%dT%H:%M:%S', gmtime(now))}.{int(now % 1 * 1_000_000):06d}Z"
    program = os.path.basename(sys.argv[0] if sys.argv and sys.argv[0] else "") or "python"
    head = f"<{FACILITY_USER << 3 | level & 7}>1 {stamp} {host} {program[:48].replace(' ', '_')} {os.getpid()} - - "
    return [(head + line).encode("utf-8", "surrogateescape") for line in text.splitlines() if line]
