"""What `flux submit` and `flux bulksubmit` share: many jobs are submitted, told of, and followed."""

import json
import sys
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, nullcontext, redirect_stderr, redirect_stdout
from typing import Any

from flux.base.idset import IDset
from flux.base.invalid import Invalid
from flux.base.jobid import JobID
from flux.commands import jobspecoptions
from flux.commands.complaint import complain
from flux.commands.parser import Parser
from flux.core.handle import Flux
from flux.job.submit import SubmitFuture, submit_async

AHEAD = 500
"""Submissions that are under way at the same time."""


def add_options(made: Parser) -> None:
    """Adds what is said of many jobs."""
    group = made.add_argument_group("many jobs, and what becomes of them")
    group.add_argument("--cc", metavar="IDSET", help="a job for each number, which {cc} and $FLUX_JOB_CC stand for")
    group.add_argument("--bcc", metavar="IDSET", help="as --cc, without $FLUX_JOB_CC")
    group.add_argument("--wait", action="store_true", help="wait until the jobs are over")
    group.add_argument(
        "--wait-event", metavar="NAME", help="wait for an event of each job (exec.NAME: of its execution)"
    )
    group.add_argument("--watch", action="store_true", help="show their output, and wait")
    group.add_argument("--progress", action="store_true", help="draw how far the jobs are, on a terminal")
    group.add_argument("--jps", action="store_true", help="with --progress: jobs in a second, instead of the time")
    group.add_argument("--log", metavar="FILE", help="write ids and what else is printed to a file")
    group.add_argument("--log-stderr", metavar="FILE", help="write errors to a file of their own")
    group.add_argument("--quiet", action="store_true", help="print no ids")
    group.add_argument("-v", "--verbose", action="count", default=0, help="tell what happens to the jobs")


def run(made: Parser, args: Namespace, copies: Callable[[Namespace], Iterable[Namespace]]) -> int:
    """Submits a job for each of the copies that are made of the arguments; returns the exit code."""
    command = made.prog.replace(" ", "-")
    try:
        flags, urgency = jobspecoptions.flags(args), jobspecoptions.urgency(args.urgency)
        specs = [jobspecoptions.jobspec(one) for one in copies(args)]
    except Invalid as error:
        complain(command, str(error))
        return 1
    if args.dry_run:
        for spec in specs:
            print(json.dumps(spec))
        return 0
    with ExitStack() as files:
        for path, stdout in ((args.log, True), (args.log_stderr, False)):
            if path:
                log = files.enter_context(open(path, "w", encoding="utf-8"))
                files.enter_context(redirect_stderr(log))
                files.enter_context(redirect_stdout(log) if stdout else nullcontext())
        return _submitted(command, args, specs, flags, urgency)


def _submitted(command: str, args: Namespace, specs: list[Any], flags: dict[str, bool], urgency: int) -> int:
    waits = args.wait or args.watch or args.wait_event
    with Flux() as handle:
        submission = _Submission(handle, command, specs, flags, urgency)
        ids = submission.ids(quiet=args.quiet)
        if not waits and not args.progress:
            for _ in ids:
                pass
            sys.stdout.flush()
            return submission.code

        from flux.commands.jobfollow import Following, Wishes
        from flux.commands.jobprogress import JobsBar

        bar = JobsBar(len(specs), rate=args.jps, shown=args.progress)
        if not waits:
            for id in ids:
                bar.note(id, "CD")
            bar.end()
            return submission.code
        event = args.wait_event or "clean"
        wishes = Wishes(command, event, args.watch, args.label_io, args.quiet, args.verbose)
        return max(Following(handle, wishes, bar).run(ids), submission.code)


class _Submission:
    """Jobs on their way, some ahead."""

    def __init__(self, handle: Flux, command: str, specs: list[Any], flags: dict[str, bool], urgency: int) -> None:
        self._handle, self._command, self._flags, self._urgency = handle, command, flags, urgency
        self._todo = list(reversed(specs))
        self.code = 0
        """1 if one was refused: those before it are there, and no more are submitted."""

    def ids(self, *, quiet: bool) -> Iterator[JobID]:
        """Yields the ids in order, and prints them."""
        waiting: list[SubmitFuture] = []
        while self._todo or waiting:
            while self._todo and len(waiting) < AHEAD:
                waiting.append(submit_async(self._handle, self._todo.pop(), self._urgency, **self._flags))
            try:
                id = waiting.pop(0).get_id()
            except OSError as error:
                complain(self._command, error.strerror or str(error))
                self.code = 1
                return
            if not quiet:
                print(id.f58)
            yield id


def numbered(args: Namespace) -> list[Namespace]:
    """A copy for each number of --cc or --bcc, with {cc} replaced everywhere."""
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
    made = replaced(args, lambda text: text.replace("{cc}", str(number)))
    if args.cc:
        made.env = [*(made.env or ["*"]), f"FLUX_JOB_CC={number}"]
    return made


def replaced(args: Namespace, change: Callable[[str], str]) -> Namespace:
    """The arguments with all their texts changed."""

    def of(value: Any) -> Any:
        if isinstance(value, list):
            return [of(one) for one in value]
        return change(value) if isinstance(value, str) else value

    return Namespace(**{name: of(value) for name, value in vars(args).items()})
