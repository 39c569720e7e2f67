"""`flux watch`: the output of jobs until they are over."""

from argparse import Namespace
from typing import Any

from flux.base.invalid import Invalid
from flux.base.jobid import JobID
from flux.commands import joblisting
from flux.commands.complaint import complain
from flux.commands.jobcommand import jobid
from flux.commands.jobfollow import Following, Wishes
from flux.commands.jobprogress import JobsBar
from flux.commands.parser import Parser, command_parser, count
from flux.core.handle import Flux

EXAMPLES = """\
  flux watch JOBID JOBID             two jobs
  flux watch --active                all of yours that wait or run
  flux watch --all --since=-1h       those that ended in the last hour, too
  flux watch --active --progress

The exit code is the highest of the jobs'.
"""


def parser() -> Parser:
    """The options of `flux watch`."""
    made = command_parser("watch", "Show the output of jobs until they are over.", EXAMPLES)
    made.add_argument("-a", "--active", action="store_true", help="all of your jobs that wait or run")
    made.add_argument("-A", "--all", action="store_true", help="all of your jobs")
    made.add_argument("-f", "--filter", action="append", metavar="STATE|RESULT", help="in states, or with results")
    made.add_argument("--since", metavar="WHEN", help="those that ended after that, too: -1h, or a date and time")
    made.add_argument("-c", "--count", type=count, default=1000, metavar="N", help="at most so many (1000)")
    made.add_argument("--progress", action="store_true", help="draw how far the jobs are, on a terminal")
    made.add_argument("--jps", action="store_true", help="with --progress: jobs in a second, instead of the time")
    made.add_argument("-l", "--label-io", action="store_true", help="put its task's number before each line")
    made.add_argument("-v", "--verbose", action="count", default=0, help="how many jobs; twice, what happens to them")
    made.add_argument("jobids", nargs="*", type=jobid, metavar="JOBID", help="which jobs")
    return made


def main(argv: list[str]) -> int:
    """Runs `flux watch`."""
    made = parser()
    args = made.parse_args(argv)
    if not (args.jobids or args.active or args.all or args.filter or args.since):
        made.error("which jobs? JOBIDs, --active, --all, --filter or --since")
    with Flux() as handle:
        try:
            ids = args.jobids or _chosen(handle, args)
        except Invalid as error:
            complain("flux-watch", str(error))
            return 1
        if not ids:
            complain("flux-watch", "No matching jobs")
            return 0
        if args.verbose:
            complain("flux-watch", f"watching {len(ids)} jobs")
        wishes = Wishes("flux-watch", watch=True, label_io=args.label_io, verbose=max(0, args.verbose - 1))
        return Following(handle, wishes, JobsBar(len(ids), rate=args.jps, shown=args.progress)).run(ids)


def _chosen(handle: Flux, args: Namespace) -> list[JobID]:
    everything = args.all or (args.since and not args.active)
    words = args.filter or (["pending", "running", "inactive"] if everything else ["pending", "running"])
    parts: list[dict[str, Any]] = [*joblisting.by_user(None), joblisting.by_filter(words, everything=False)]
    since = joblisting.since(args.since)
    asked = {"max_entries": args.count, "attrs": ["id"], "since": since, "constraint": {"and": parts}}
    return [JobID(told["id"]) for told in reversed(handle.rpc("job-list.list", asked).get()["jobs"])]
