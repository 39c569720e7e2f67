"""`flux pgrep`: finds jobs by name."""

from flux.base.invalid import Invalid
from flux.base.outputformat import OutputFormat
from flux.commands import jobpattern
from flux.commands.complaint import complain
from flux.commands.formats import Named, choose
from flux.commands.jobs import FORMATS
from flux.commands.jobview import HEADINGS, Headings, JobView, attributes
from flux.commands.parser import Parser, command_parser
from flux.core.handle import Flux

EXAMPLES = """\
  flux pgrep train                 the ids of your jobs with `train` in their names
  flux pgrep -a -o full '^fit'     those that are over, too, and what they are
  flux pgrep ƒ2ti5rX..ƒ3xyZh1      the jobs between two ids

The exit code is 1 if there is none.
"""
OWN = {"default": Named("{id.f58}", "Default flux-pgrep format string"), "full": FORMATS["default"]}


def parser() -> Parser:
    """The options of `flux pgrep`."""
    made = command_parser("pgrep", "Find jobs by name.", EXAMPLES)
    jobpattern.add_options(made)
    made.add_argument("-n", "--no-header", action="store_true", help="without the line of headings")
    made.add_argument("-o", "--format", metavar="FORMAT", help="a format, or the name of one (help lists them)")
    return made


def main(argv: list[str]) -> int:
    """Runs `flux pgrep`."""
    args = parser().parse_args(argv)
    try:
        text = choose("flux-pgrep", args.format, FORMATS | OWN, "FLUX_PGREP_FORMAT_DEFAULT")
        layout = OutputFormat(text, Headings(HEADINGS))
        with Flux() as handle:
            jobs = [JobView(told) for told in jobpattern.found(handle, args, attributes([*layout.fields, "name"]))]
    except Invalid as error:
        complain("flux-pgrep", str(error))
        return 1
    heading = not args.no_header and text != OWN["default"].text
    for line in layout.lines(jobs, JobView.get, heading=heading) if jobs else ():
        print(line)
    return 0 if jobs else 1
