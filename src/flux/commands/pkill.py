"""`flux pkill`: cancels jobs by name."""

from flux.base.invalid import Invalid
from flux.base.jobid import JobID
from flux.commands import jobpattern
from flux.commands.complaint import complain
from flux.commands.parser import Parser, command_parser
from flux.core.handle import Flux
from flux.job.event import event_watch
from flux.job.kill import cancel_async

EXAMPLES = """\
  flux pkill train                 your jobs with `train` in their names
  flux pkill --wait -f running .   all of yours that run, and wait until they are over
  flux pkill ƒ2ti5rX..ƒ3xyZh1      the jobs between two ids

The exit code is 1 if there is none, or one cannot be cancelled.
"""


def parser() -> Parser:
    """The options of `flux pkill`."""
    made = command_parser("pkill", "Cancel jobs by name.", EXAMPLES)
    jobpattern.add_options(made)
    made.add_argument("-w", "--wait", action="store_true", help="wait until they are over")
    return made


def main(argv: list[str]) -> int:
    """Runs `flux pkill`."""
    args = parser().parse_args(argv)
    with Flux() as handle:
        try:
            ids = [JobID(told["id"]) for told in jobpattern.found(handle, args, ["name"])]
        except Invalid as error:
            complain("flux-pkill", str(error))
            return 1
        if not ids:
            complain("flux-pkill", "No matching jobs")
            return 1
        cancelled = _cancel(handle, ids)
        complain("flux-pkill", f"Canceled {len(cancelled)} job{'s' * (len(cancelled) != 1)}")
        for id in cancelled if args.wait else ():
            for _ in event_watch(handle, id):
                pass
    return 0 if len(cancelled) == len(ids) else 1


def _cancel(handle: Flux, ids: list[JobID]) -> list[JobID]:
    asked = [(id, cancel_async(handle, id)) for id in ids]
    done = []
    for id, rpc in asked:
        try:
            rpc.get()
            done.append(id)
        except OSError as error:
            complain("flux-pkill", f"{id.f58}: cancel: {error.strerror}")
    return done
