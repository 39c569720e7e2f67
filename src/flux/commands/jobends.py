"""`flux job status` and `wait`: how jobs have ended."""

import json
from argparse import Namespace
from errno import ECHILD
from typing import Any

from flux.base.jobid import ANY
from flux.base.waitstatus import exit_code
from flux.commands.complaint import complain
from flux.core.handle import Flux
from flux.job.event import event_watch
from flux.job.wait import wait as wait_for


def status(handle: Flux, args: Namespace) -> int:
    """Waits for the jobs; exits with the highest of their codes."""
    highest = 0
    for id in args.jobids:
        code, told = _ended(handle, id, args)
        highest = max(highest, code)
        if args.json:
            print(json.dumps({"id": id.f58, "exitcode": code, **told}))
        elif args.verbose:
            complain("flux-job", f"{id.f58}: {told['note']}")
    return highest


def _ended(handle: Flux, id: Any, args: Namespace) -> tuple[int, dict[str, Any]]:
    exception: dict[str, Any] | None = None
    try:
        for event in event_watch(handle, id):
            if event.name == "exception" and event.context["severity"] == 0 and exception is None:
                exception = event.context
            elif event.name == "finish":
                code = exit_code(event.context["status"])
                return code, {
                    "note": f"exited with exit code {code}" if code < 128 else f"killed by signal {code - 128}"
                }
            elif event.name == "clean":
                break
    except OSError as error:
        raise OSError(error.errno, f"{id.f58}: {error.strerror or 'no such job'}") from None
    kind = exception["type"] if exception else "unknown"
    return args.exception_exit_code, {"note": f"exception type={kind}", "exception": exception}


def wait(handle: Flux, args: Namespace) -> int:
    """Waits for a waitable job, or for all: 0 if they ended well, 1 if not, 2 if there is none."""
    code, seen = 0, 0
    while True:
        try:
            result = wait_for(handle, args.jobid if args.jobid is not None else ANY)
        except OSError as error:
            if error.errno == ECHILD and args.all:
                return code
            complain("flux-job", error.strerror or "cannot wait")
            return 2
        seen += 1
        if args.jobid is None or args.verbose:
            print(result.jobid.f58)
        if not result.success:
            code = 1
            complain("flux-job", f"{result.jobid.f58}: {result.errstr.decode()}")
        if not args.all:
            return code
