"""`flux cancel`: cancels jobs."""

from argparse import ArgumentTypeError, Namespace

from flux.base.jobid import JobID
from flux.base.jobstate import State
from flux.commands.complaint import complain
from flux.commands.joblisting import userid
from flux.commands.parser import Parser, command_parser
from flux.core.handle import Flux
from flux.job.kill import cancel_async

EXAMPLES = """\
  flux cancel ƒ2ti5rX ƒ3xyZh1         two jobs
  flux cancel -m 'wrong input' JOBID   and why
  flux cancel --all                    all jobs of yours that wait or run
  flux cancel --all --states=pending   only those that wait
  flux cancel --all -n                 how many that would be
"""


def parser() -> Parser:
    """The options of `flux cancel`."""
    made = command_parser("cancel", "Cancel jobs: those that wait never run, those that run are ended.", EXAMPLES)
    made.add_argument("--all", action="store_true", help="all jobs, instead of JOBIDs")
    made.add_argument("-u", "--user", metavar="USER", help="whose (with --all): a name, a number, or all")
    made.add_argument("-S", "--states", type=states, default=62, metavar="STATE,...", help="in which states (active)")
    made.add_argument("-n", "--dry-run", action="store_true", help="only say how many jobs that would be")
    made.add_argument("-q", "--quiet", action="store_true", help="do not say how many jobs that were")
    made.add_argument("-m", "--message", metavar="NOTE", help="why")
    made.add_argument("jobids", nargs="*", metavar="JOBID", help="which jobs")
    return made


def main(argv: list[str]) -> int:
    """Runs `flux cancel`."""
    made = parser()
    args = made.parse_args(argv)
    if bool(args.jobids) == args.all:
        made.error("JOBIDs or --all are needed" if not args.all else "--all takes no JOBIDs")
    if args.dry_run and not args.all:
        made.error("--dry-run goes with --all")
    with Flux() as handle:
        return _all(handle, args) if args.all else _some(handle, args)


def states(text: str) -> int:
    """A mask of states, by their names."""
    known = {name.lower(): int(state) for name, state in State.__members__.items()}
    found = 0
    for word in text.lower().split(","):
        if word not in known:
            raise ArgumentTypeError(f"'{word}' is not a state (known: {', '.join(known)})")
        found |= known[word]
    return found


def _some(handle: Flux, args: Namespace) -> int:
    code, asked = 0, []
    for text in args.jobids:
        try:
            asked.append((text, cancel_async(handle, JobID(text), args.message)))
        except ValueError as error:
            complain("flux-cancel", str(error))
            code = 1
    for text, rpc in asked:
        try:
            rpc.get()
        except OSError as error:
            complain("flux-cancel", f"{text}: {error.strerror}")
            code = 1
    return code


def _all(handle: Flux, args: Namespace) -> int:
    asked = {"dry_run": args.dry_run, "userid": userid(args.user), "states": args.states}
    told = handle.rpc(
        "job-manager.raiseall", asked | {"severity": 0, "type": "cancel", "note": args.message or ""}
    ).get()
    what = f"{told['count']} job{'s' * (told['count'] != 1)}"
    if not args.quiet:
        did = f"would cancel {what}" if args.dry_run else f"canceled {what} ({told['errors']} errors)"
        complain("flux-cancel", did)
    return 1 if told["errors"] else 0
