"""`flux run`: submit a job and be with it to its end."""

import json

from flux.base.invalid import Invalid
from flux.commands import jobspecoptions
from flux.commands.complaint import complain
from flux.commands.parser import Parser, command_parser
from flux.core.handle import Flux
from flux.runtime.descriptor import fill_standard

EXAMPLES = """\
  flux run hostname                 one task on one core
  flux run -n 8 ./mpi_hello         eight tasks
  flux run -N 4 -l hostname         one task on each of four nodes, each line with its task's number
  flux run -n 4 --output=out.{{taskid}} ./a.out
  flux run -t 10m --mem=2G ./a.out  it is killed after ten minutes, and has two gigabytes
  flux run --stream wave -n 8 ./a.out       (then `flux stream get -l wave`, also while it runs)
  flux run --env=-* --env=PATH --env=OMP_NUM_THREADS=2 ./a.out

It waits until there is room. The exit code is the highest of the tasks', 128 and the signal for a task that a signal
ended, 127 if there is no such command, 126 if it cannot be executed, 1 if the job never ran.

A second Ctrl-C within two seconds cancels the job; Ctrl-C and then Ctrl-Z leaves it, and `flux job attach` is with it
again. TERM, HUP, USR1, USR2 and ALRM are passed on to the tasks.
"""


def parser() -> Parser:
    """The options of `flux run`."""
    made = command_parser("run", "Run a job, with its input and output here.", EXAMPLES)
    made.usage = "flux run [OPTIONS] COMMAND [ARGUMENT ...]"
    group = made.add_argument_group("what is shown")
    group.add_argument("-v", "--verbose", action="count", default=0, help="its id; twice, its events; thrice, exec's")
    group.add_argument("--quiet", action="store_true", help="only what the tasks write")
    group.add_argument(
        "--stream", metavar="NAME", help="keep stdout and stderr in the key-value store, too, as `flux stream get NAME`"
    )
    jobspecoptions.add_options(made)
    return made


def main(argv: list[str]) -> int:
    """Runs `flux run`."""
    made = parser()
    args = made.parse_args(argv)
    try:
        flags, urgency = jobspecoptions.flags(args), jobspecoptions.urgency(args.urgency)
        spec = jobspecoptions.jobspec(args)
    except Invalid as error:
        complain("flux-run", str(error))
        return 1
    if args.stream:
        from flux.stream.places import OUTPUT

        spec["attributes"]["system"]["shell"]["options"]["stream"] = args.stream + OUTPUT
    if args.dry_run:
        print(json.dumps(spec))
        return 0

    from flux.commands.jobattach import Attachment, Wishes
    from flux.job.submit import submit_async

    fill_standard()
    with Flux() as handle:
        id = submit_async(handle, spec, urgency, **flags).get_id()
        if args.verbose:
            complain("flux-run", f"jobid: {id.f58}")
        wishes = Wishes(
            label_io=args.label_io,
            quiet=args.quiet,
            show_events=args.verbose > 1,
            show_exec=args.verbose > 2,
            cancel_unread=True,
            command="flux-run",
        )
        return Attachment(handle, id, wishes).run()
