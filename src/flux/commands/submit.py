"""`flux submit`: hands a job over, or many of the same kind, and says their ids."""

from flux.commands import jobspecoptions, jobsubmission
from flux.commands.parser import Parser, command_parser

EXAMPLES = """\
  flux submit ./a.out                       one task on one core; its id is printed
  flux submit -n 8 -c 2 -t 30m ./mpi_hello  eight tasks of two cores, for half an hour at most
  flux submit -N 2 -x ./node_hog            two whole nodes
  flux submit --cc=1-100 ./work {cc}        a hundred jobs, each with its number
  flux submit --cc=1-100 --progress --wait ./work {cc}
  flux submit --wait --dependency=afterok:$(flux submit ./first) ./second
  flux submit --output='out.{{id}}' ./a.out (else the output is kept: flux job attach JOBID)

With --wait, --watch or --wait-event the exit code is the highest of the jobs', as their shells would have it: 128 and
the signal for one that a signal ended, 1 for one that never ran. Else it is 0 if all jobs were taken.
"""


def parser() -> Parser:
    """The options of `flux submit`."""
    made = command_parser("submit", "Submit a job, or many, to be run when there is room for them.", EXAMPLES)
    made.usage = "flux submit [OPTIONS] COMMAND [ARGUMENT ...]"
    jobsubmission.add_options(made)
    jobspecoptions.add_options(made)
    return made


def main(argv: list[str]) -> int:
    """Runs `flux submit`."""
    made = parser()
    return jobsubmission.run(made, made.parse_args(argv), jobsubmission.numbered)
