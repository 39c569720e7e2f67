"""stdout.py LINES KILOBYTES [OPTION ...]: what a job may say in a second, as `flux run` passes it on; none is lost.

With the options its output is kept besides, where that is not always so."""

from __future__ import annotations

import json
import subprocess
import sys
import time

KILOBYTE = "x" * 1023


def rate(count: int, words: list[str]) -> tuple[int, float]:
    """Bytes of its output and seconds; fails unless it has `count` lines."""
    begun = time.perf_counter()
    out = subprocess.run(["flux", "run", *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True).stdout
    seconds = time.perf_counter() - begun
    if out.count(b"\n") != count:
        sys.exit(f"of {count} lines {out.count(10)} came")
    return len(out), seconds


def main(lines: int, kilobytes: int, *options: str) -> None:
    """Measures short lines and long ones."""
    _, seconds = rate(lines, ["seq", str(lines)])
    length, long = rate(kilobytes, ["sh", "-c", f"yes {KILOBYTE} | head -n {kilobytes}"])
    _, kept = rate(lines, [*options, "seq", str(lines)])
    found = {"stdout.lines": lines / seconds, "stdout.kept": lines / kept, "stdout.bytes": length / long}
    print(json.dumps(found))


main(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
