"""Programs for the tests of the launcher: brokers that do what their environment says, each in a process of its own."""

import asyncio
import os
import signal
import subprocess
import sys

from flux.runtime.keeper import Keeper
from flux.runtime.launch import launch
from flux.runtime.linux import children
from flux.runtime.pmi import Bootstrap
from flux.runtime.rundir import make, remove
from flux.runtime.spawn import Spawner
from flux.testing.spawn import Recorder


def broker(pmi: Bootstrap, keeper: Keeper) -> int:
    """Does for its rank what the program's arguments say: `up`, then what follows `RANK:`."""
    for word in sys.argv[3:]:
        which, _, what = word.partition(":")
        if which in (str(pmi.rank), "*"):
            code = asyncio.run(started(keeper)) if what == "start" else act(pmi, what)
            if code is not None:
                return code
    return 0


def act(pmi: Bootstrap, what: str) -> int | None:
    """One step of a broker's life; a number ends it."""
    verb, _, argument = what.partition("=")
    match verb:
        case "up":
            pmi.put(str(pmi.rank), f"card-{pmi.rank}")
            pmi.barrier()
            following = (pmi.rank + 1) % pmi.size
            assert pmi.get(str(following)) == f"card-{following}"
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # as a broker, which hears it itself once it is up
            pmi.finalize()
            pmi.barrier()
        case "exit":
            return int(argument)
        case "refuse":
            raise OSError(1, argument)
        case "die":
            os.kill(os.getpid(), int(argument))
        case "orphan":
            subprocess.Popen(["sleep", "1000"], start_new_session=True, stdin=subprocess.DEVNULL)
        case "say":
            os.write(1, f"{argument}\n".encode())
        case "abort":
            pmi.abort(3, argument)
            signal.pause()
        case "pause":
            signal.pause()
        case "garbage":
            os.write(pmi.fileno(), b"HTTP/1.1 400\n")
            signal.pause()
        case "lifeline":
            os.read(pmi.fileno(), 1)
        case "foreground":
            os.write(1, f"{pmi.rank} {os.getpgrp() == os.getpid()} {os.isatty(0)}\n".encode())
    return None


async def started(keeper: Keeper) -> None:
    """Starts a process, and tells how many children the launcher had before and has then."""
    spawner, before = Spawner(keeper), len(children(os.getppid()))
    await spawner(["true"], Recorder(), env=dict(os.environ))
    os.write(1, f"{before} {len(children(os.getppid()))}\n".encode())
    await spawner.close()


def say(text: str) -> None:
    """Where the launcher's lines go."""
    os.write(2, f"{text}\n".encode())


if __name__ == "__main__":
    rundir = make()
    try:
        code = launch(int(sys.argv[1]), broker, say, verbose=int(sys.argv[2]))
    finally:
        remove(rundir)
    sys.exit(code)
