"""`flux submit`: hands a job over, or many of the same kind, and says their ids."""

import json
import sys
from argparse import Namespace
from typing import Any

from flux.base.idset import IDset
from flux.base.invalid import Invalid
from flux.base.jobid import JobID
from flux.commands import jobspecoptions
from flux.commands.complaint import complain
from flux.commands.parser import Parser, command_parser
from flux.core.handle import Flux
from flux.job.event import JobEventWatchFuture, event_watch_async
from flux.job.submit import SubmitFuture, submit_async

EXAMPLES = """\
  flux submit ./a.out                       one task on one core; its id is printed
  flux submit -n 8 -c 2 -t 30m ./mpi_hello  eight tasks of two cores, for half an hour at most
  flux submit -N 2 -x ./node_hog            two whole nodes
  flux submit --cc=1-100 ./work {cc}        a hundred jobs, each with its number
  flux submit --wait --dependency=afterok:$(flux submit ./first) ./second
  flux submit --output='out.{{id}}' ./a.out (else the output is kept: flux job attach JOBID)

With --wait, --watch or --wait-event the exit code is the highest of the jobs', as their shells would have it: 128 and
the signal for one that a signal ended, 1 for one that never ran. Else it is 0 if all jobs were taken.
"""
AHEAD = 500
"""Submissions that are under way at the same time."""


def parser() -> Parser:
    """The options of `flux submit`."""
    made = command_parser("submit", "Submit a job, or many, to be run when there is room for them.", EXAMPLES)
    made.usage = "flux submit [OPTIONS] COMMAND [ARGUMENT ...]"
    group = made.add_argument_group("many jobs, and what becomes of them")
    group.add_argument("--cc", metavar="IDSET", help="a job for each number, which {cc} and $FLUX_JOB_CC stand for")
    group.add_argument("--bcc", metavar="IDSET", help="as --cc, without $FLUX_JOB_CC")
    group.add_argument("--wait", action="store_true", help="wait until the jobs are over")
    group.add_argument("--wait-event", metavar="NAME", help="wait for an event of each job")
    group.add_argument("--watch", action="store_true", help="show their output, and wait")
    group.add_argument("--quiet", action="store_true", help="print no ids")
    group.add_argument("-v", "--verbose", action="count", default=0, help="tell what happens to the jobs")
    jobspecoptions.add_options(made)
    return made


def main(argv: list[str]) -> int:
    """Runs `flux submit`."""
    made = parser()
    args = made.parse_args(argv)
    try:
        flags, urgency = jobspecoptions.flags(args), jobspecoptions.urgency(args.urgency)
        copies = [jobspecoptions.jobspec(one) for one in _copies(args)]
    except Invalid as error:
        complain("flux-submit", str(error))
        return 1
    if args.dry_run:
        for spec in copies:
            print(json.dumps(spec))
        return 0
    with Flux() as handle:
        ids = _submit(handle, copies, flags, urgency, quiet=args.quiet)
        if ids is None:
            return 1
        if args.wait or args.watch or args.wait_event:
            return _Following(handle, args).until_over(ids)
    return 0


def _copies(args: Namespace) -> list[Namespace]:
    """One for each job."""
    if args.cc and args.bcc:
        raise Invalid("specify only one of --cc or --bcc")
    text = args.cc or args.bcc
    if not text:
        return [args]
    try:
        numbers = list(IDset(text))
    except ValueError as error:
        raise Invalid(f"--cc: {error}") from None
    return [_numbered(args, number) for number in numbers]


def _numbered(args: Namespace, number: int) -> Namespace:
    """With {cc} replaced everywhere."""

    def replaced(value: Any) -> Any:
        if isinstance(value, list):
            return [replaced(one) for one in value]
        return value.replace("{cc}", str(number)) if isinstance(value, str) else value

    made = Namespace(**{name: replaced(value) for name, value in vars(args).items()})
    if args.cc:
        made.env = [*(made.env or ["*"]), f"FLUX_JOB_CC={number}"]
    return made


def _submit(
    handle: Flux, copies: list[Any], flags: dict[str, bool], urgency: int, *, quiet: bool
) -> list[JobID] | None:
    """Submits them, some ahead; prints the ids in order. None if one was refused: those before it are there."""
    waiting: list[SubmitFuture] = []
    ids: list[JobID] = []
    todo = list(reversed(copies))
    while todo or waiting:
        while todo and len(waiting) < AHEAD:
            waiting.append(submit_async(handle, todo.pop(), urgency, **flags))
        try:
            ids.append(waiting.pop(0).get_id())
        except OSError as error:
            complain("flux-submit", error.strerror or str(error))
            return None
        if not quiet:
            print(ids[-1].f58)
    sys.stdout.flush()
    return ids


class _Following:
    """Follows jobs to their ends, or to an event."""

    def __init__(self, handle: Flux, args: Namespace) -> None:
        self._handle, self._args = handle, args
        self._code = 0
        self._left = 0

    def until_over(self, ids: list[JobID]) -> int:
        self._left = len(ids)
        for id in ids:
            self._watch(id)
            if self._args.watch:
                from flux.commands.joboutput import follow

                self._left += 1
                follow(self._handle, id, self._over, labelled=self._args.label_io)
        if self._left:
            self._handle.reactor_run()
        return self._code

    def _watch(self, id: JobID) -> None:
        wanted = self._args.wait_event or "clean"
        path = "guest.exec.eventlog" if wanted.startswith("exec.") else "eventlog"
        watch = event_watch_async(self._handle, id, path)
        watch.then(lambda future: self._heard(id, future, wanted.removeprefix("exec.")))

    def _heard(self, id: JobID, watch: Any, wanted: str) -> None:
        assert isinstance(watch, JobEventWatchFuture)
        event = watch.get_event()
        if event is None:
            self._over()
            return
        if self._args.verbose:
            print(f"{id.f58}: {event.timestamp:.6f} {event.name} {event.context_string}".rstrip(), file=sys.stderr)
        if event.name == "finish":
            self._note(event.context["status"])
        elif event.name == "exception" and event.context["severity"] == 0:
            self._failed(id, event.context)
        if event.name == wanted and wanted != "clean":
            watch.cancel()

    def _note(self, status: int) -> None:
        from flux.base.waitstatus import exit_code

        self._code = max(self._code, exit_code(status))

    def _failed(self, id: JobID, context: Any) -> None:
        self._code = max(self._code, 1)
        note = context.get("note") or ""
        if not self._args.quiet:
            complain("flux-submit", f"{id.f58}: exception: type={context['type']} {note}".rstrip())

    def _over(self) -> None:
        self._left -= 1
        if not self._left:
            self._handle.reactor_stop()
