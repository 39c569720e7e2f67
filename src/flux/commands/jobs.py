"""`flux jobs`: lists jobs."""

import json
import sys
from argparse import Namespace
from typing import Any

from flux.base.invalid import Invalid
from flux.base.jobid import JobID
from flux.base.jobstate import Result
from flux.base.outputformat import OutputFormat
from flux.commands import joblisting
from flux.commands.complaint import complain
from flux.commands.formats import Named, choose
from flux.commands.jobview import HEADINGS, Headings, JobView, attributes
from flux.commands.parser import Parser, command_parser
from flux.core.handle import Flux
from flux.rpc import RPC

EXAMPLES = """\
  flux jobs                        your jobs that wait or run
  flux jobs -a                     those that are over, too
  flux jobs -A -f running,failed   everybody's, in these states, or with that end
  flux jobs -n -o '{id.f58} {nodelist}'
  flux jobs -o long                a format by its name; -o help lists them
  flux jobs --json JOBID           all that is known of a job, for programs
  flux jobs --stats-only           how many there are; exits with 1 when none is active
"""
COMMON = "{id.f58:>12} ?:{queue:<8.8} +:{username:<8} {name:<10.10+} "
SIZE = "{ntasks:>6} {nnodes:>6h} "
FORMATS = {
    "default": Named(
        COMMON + "{status_abbrev:>2.2} " + SIZE + "{contextual_time!F:>8h} {contextual_info}",
        "Default flux-jobs format",
    ),
    "cute": Named(
        COMMON + "{status_emoji:>5.5} " + SIZE + "{contextual_time!F:>8h} {contextual_info}",
        "Cute flux-jobs format (default with emojis)",
    ),
    "long": Named(
        COMMON
        + "{status:>9.9} "
        + SIZE
        + "{t_submit!d:%b%d %R::>12} {t_remaining!F:>12h} {contextual_time!F:>8h} {contextual_info}",
        "Extended flux-jobs format",
    ),
    "deps": Named(
        "{id.f58:>12} ?:{queue:<8.8} {name:<10.10+} {urgency:<3} {priority:<12} {state:<8.8} {dependencies}",
        "Show job urgency, priority, and dependencies",
    ),
    "endreason": Named(
        COMMON + "{status_abbrev:>2.2} {t_inactive!d:%b%d %R::>12h} {inactive_reason}", "Show why each job ended"
    ),
}
ENDED, CANCELED = "\033[01;31m", "\033[37m"


def parser() -> Parser:
    """The options of `flux jobs`."""
    made = command_parser("jobs", "List jobs.", EXAMPLES)
    which = made.add_argument_group("which")
    which.add_argument("-a", action="store_true", help="also those that are over")
    which.add_argument("-A", action="store_true", help="those of all users")
    which.add_argument("-u", "--user", metavar="USER", help="those of one user, by name or number; all")
    which.add_argument("-f", "--filter", action="append", metavar="STATE|RESULT", help="in states, or with results")
    which.add_argument("-q", "--queue", action="append", metavar="NAME", help="of queues")
    which.add_argument("-i", "--include", metavar="HOSTS|RANKS", help="that have run on some nodes")
    which.add_argument("--name", metavar="NAME", help="of that name")
    which.add_argument("--since", metavar="WHEN", help="that were active then, or ended later: -1h, or a date and time")
    which.add_argument("-c", "--count", type=int, default=1000, metavar="N", help="at most so many (1000)")
    which.add_argument("jobids", nargs="*", metavar="JOBID", help="these")
    how = made.add_argument_group("how")
    how.add_argument("-o", "--format", metavar="FORMAT", help="a format, or the name of one (help lists them)")
    how.add_argument("-n", "--no-header", action="store_true", help="without the line of headings")
    how.add_argument("--sort", metavar="KEY,...", help="by fields; -FIELD is the other way round")
    how.add_argument("--json", action="store_true", help="for programs")
    how.add_argument("-L", "--color", nargs="?", const="always", default="auto", choices=("always", "never", "auto"))
    how.add_argument("--stats", action="store_true", help="how many there are, too")
    how.add_argument("--stats-only", action="store_true", help="only how many there are")
    return made


def main(argv: list[str]) -> int:
    """Runs `flux jobs`."""
    args = parser().parse_args(argv)
    try:
        layout = _layout(args)
        constraint = _constraint(args)
        since = joblisting.since(args.since)
    except Invalid as error:
        complain("flux-jobs", str(error))
        return 1
    with Flux() as handle:
        if args.stats or args.stats_only:
            active = _stats(handle)
            if args.stats_only:
                return 0 if active else 1
        wanted = ["all"] if args.json else attributes([*layout.fields, "state", "result"])
        found, code = _found(handle, args, wanted, constraint, since)
    if args.json:
        jobs = [job.described() for job in found]
        print(json.dumps(jobs[0] if len(args.jobids) == 1 and jobs else {"jobs": jobs}))
        return code
    _show(args, layout, found)
    return code


def _layout(args: Namespace) -> OutputFormat:
    text = choose("flux-jobs", args.format, FORMATS, "FLUX_JOBS_FORMAT_DEFAULT")
    layout = OutputFormat(text, Headings(HEADINGS))
    if args.sort:
        layout.sort = args.sort.split(",")
        OutputFormat("".join(f"{{{key.removeprefix('-')}}}" for key in layout.sort), Headings(HEADINGS))
    return layout


# -- which jobs -----------------------------------------------------------------------------------------------------


def _constraint(args: Namespace) -> dict[str, Any]:
    parts = [*joblisting.by_user("all" if args.A else args.user), *joblisting.by_queue(args.queue)]
    if args.name:
        parts.append({"name": [args.name]})
    if args.include:
        kind = "ranks" if set(args.include) <= set("0123456789,-[]") else "hostlist"
        parts.append({kind: [args.include]})
    return {"and": [*parts, joblisting.by_filter(args.filter, everything=bool(args.a or args.since))]}


def _found(
    handle: Flux, args: Namespace, wanted: list[str], constraint: dict[str, Any], since: float
) -> tuple[list[JobView], int]:
    if args.jobids:
        return _by_id(handle, args.jobids, wanted)
    asked = {"max_entries": args.count, "attrs": wanted, "since": since, "constraint": constraint}
    found = [JobView(told) for told in handle.rpc("job-list.list", asked).get()["jobs"]]
    if found and len(found) == args.count:
        complain("flux-jobs", f"{args.count} jobs are shown, and there may be more (see --count)")
    return found, 0


def _by_id(handle: Flux, texts: list[str], wanted: list[str]) -> tuple[list[JobView], int]:
    """Each of them; one that is not there is named, and the others are shown."""
    asked: list[tuple[str, RPC]] = []
    code = 0
    for text in texts:
        try:
            payload = {"id": int(JobID(text)), "attrs": wanted}
        except ValueError:
            complain("flux-jobs", f"invalid JobID value: '{text}'")
            code = 1
            continue
        asked.append((text, handle.rpc("job-list.list-id", payload)))
    found = []
    for text, rpc in asked:
        try:
            found.append(JobView(rpc.get()["job"]))
        except OSError as error:
            complain("flux-jobs", f"JobID {text} {'unknown' if error.errno == 2 else error.strerror}")
            code = 1
    return found, code


# -- what is shown --------------------------------------------------------------------------------------------------


def _show(args: Namespace, layout: OutputFormat, found: list[JobView]) -> None:
    if args.jobids and not found:
        return
    lines = layout.lines(found, JobView.get, heading=not args.no_header)
    if args.color == "always" or (args.color == "auto" and sys.stdout.isatty()):
        jobs = layout.ordered(found, JobView.get)
        first = len(lines) - len(jobs)
        lines[first:] = [_coloured(line, job) for line, job in zip(lines[first:], jobs, strict=True)]
    if lines:
        print("\n".join(lines))


def _coloured(line: str, job: JobView) -> str:
    if job.result in (Result.FAILED, Result.TIMEOUT):
        return f"{ENDED}{line}\033[0m"
    return f"{CANCELED}{line}\033[0m" if job.result is Result.CANCELED else line


def _stats(handle: Flux) -> bool:
    told = handle.rpc("job-list.job-stats", {}).get()
    states = told["job_states"]
    running, pending = states["run"] + states["cleanup"], states["depend"] + states["priority"] + states["sched"]
    failed = told["failed"] + told["canceled"] + told["timeout"]
    print(
        f"{running} running, {told['successful']} completed, {failed} failed, {pending} pending, "
        f"{told['inactive_purged']} inactive purged"
    )
    return bool(running + pending)
