"""`flux job eventlog` and `wait-event`: the events of a job, as they are written."""

from argparse import Namespace
from errno import ENOENT
from typing import Any

from flux.commands.complaint import complain
from flux.core.handle import Flux
from flux.eventlog import EventLogEvent, EventLogFormatter
from flux.job.event import JobEventWatchFuture
from flux.job.info import text

SHORT = {"exec": "guest.exec.eventlog", "output": "guest.output", "input": "guest.input"}
WAITCREATE = 1


def show(handle: Flux, args: Namespace) -> None:
    """Prints a log as it is now."""
    path = SHORT.get(args.path, args.path)
    try:
        found = text(handle, args.jobid, path)
    except OSError as error:
        if error.errno != ENOENT:
            raise
        raise OSError(ENOENT, f"{args.jobid.f58}: {'no such job' if path == 'eventlog' else f'no {path}'}") from None
    form = _formatter(args)
    for line in found.splitlines():
        print(form.format(EventLogEvent(line)))


def _formatter(args: Namespace) -> Any:
    if args.human:
        return EventLogFormatter(timestamp_format="human", color="auto")
    return EventLogFormatter(format=args.format, timestamp_format=args.time_format)


def wait(handle: Flux, args: Namespace) -> int:
    """Waits for an event; says so and fails if it never came."""
    flags = WAITCREATE if args.waitcreate else 0
    watch = JobEventWatchFuture(handle, args.jobid, SHORT.get(args.path, args.path), flags)
    form, left = _formatter(args), args.count
    while True:
        try:
            watch.wait_for(args.timeout)
            event = watch.get_event()
        except TimeoutError:
            complain("flux-job", f"wait-event timeout on event '{args.event}'")
            return 1
        except OSError as error:
            if error.errno != ENOENT:
                raise
            complain("flux-job", f"{args.jobid.f58}: no such job, or no such log")
            return 1
        if event is None:
            complain("flux-job", f"event '{args.event}' never received")
            return 1
        found = event.name == args.event and _matches(event, args.match_context)
        left -= found
        if args.verbose or (found and left <= 0 and not args.quiet):
            print(form.format(event), flush=True)
        if found and left <= 0:
            watch.cancel()
            return 0


def _matches(event: EventLogEvent, wanted: str | None) -> bool:
    if wanted is None:
        return True
    key, _, value = wanted.partition("=")
    found = event.context.get(key)
    return found is not None and (str(found) == value or repr(found).lower() == value.lower())
