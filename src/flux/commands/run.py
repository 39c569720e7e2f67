"""`flux run`: run a command as a parallel job and be with it to its end."""

import os
from argparse import REMAINDER, ArgumentTypeError, Namespace
from errno import EILSEQ, EINVAL

from flux.commands.complaint import complain
from flux.commands.parser import Parser, command_parser
from flux.core.handle import Flux
from flux.runtime.descriptor import fill_standard
from flux.runtime.directory import absolute
from flux.wreck.attendance import Attendance, Terminal
from flux.wreck.place import place

EXAMPLES = """\
  flux run hostname                 one task
  flux run -n 8 ./mpi_hello         eight tasks, spread evenly over the nodes
  flux run -N 4 -l hostname         one task on each of four nodes, each line with its task's number
  flux run -n 4 --output=out.{{taskid}} ./a.out
  flux run --stream wave -n 8 ./a.out       (then `flux stream get -l wave`, also while it runs)
  flux run --env=-* --env=PATH --env=OMP_NUM_THREADS=2 ./a.out

The exit code is the highest of the tasks', 128 and the signal for a task that a signal ended, 127 if there is no such
command, 126 if it cannot be executed. The tasks of a broker that is lost count as killed, and the others run on, unless
they are one program (MPI): then the job ends. Ctrl-C interrupts the tasks; a second one within two seconds kills them.
"""


def parser() -> Parser:
    """The options of `flux run`."""
    made = command_parser("run", "Run a command as a parallel job, with its input and output here.", EXAMPLES)
    made.usage = "flux run [OPTIONS] COMMAND [ARGUMENT ...]"
    tasks = made.add_argument_group("tasks")
    tasks.add_argument("-n", "--ntasks", type=_positive, metavar="N", help="number of tasks (1, or one for each node)")
    tasks.add_argument(
        "-N", "--nodes", type=_positive, metavar="N", help="number of nodes (as many as there are tasks, at most all)"
    )
    tasks.add_argument("--tasks-per-node", type=_positive, metavar="N", help="number of tasks on each node")
    tasks.add_argument("--cwd", metavar="DIR", help="directory to run in (this one)")
    env = made.add_argument_group("environment")
    env.add_argument(
        "--env",
        action="append",
        default=[],
        metavar="RULE",
        help="VAR=VALUE ($VAR in it is replaced), PATTERN, -PATTERN",
    )
    env.add_argument(
        "--env-remove", dest="env", action="append", type="-{}".format, metavar="PATTERN", help="as --env=-PATTERN"
    )
    env.add_argument(
        "--env-file",
        dest="env",
        action="append",
        type="^{}".format,
        metavar="FILE",
        help="rules from a file, as --env=^FILE",
    )
    io = made.add_argument_group("input and output")
    io.add_argument("-l", "--label-io", action="store_true", help="put its task's number before each line")
    io.add_argument("-u", "--unbuffered", action="store_true", help="pass stdout on as it is written, not line by line")
    io.add_argument("--input", metavar="FILE", help="what the tasks read (our stdin)")
    io.add_argument("--output", metavar="TEMPLATE", help="file for stdout, such as out.{{id}}.{{taskid}} (our stdout)")
    io.add_argument("--error", metavar="TEMPLATE", help="file for stderr (as --output)")
    io.add_argument(
        "--stream", metavar="NAME", help="keep stdout and stderr in the key-value store, too, as `flux stream get NAME`"
    )
    io.add_argument("-v", "--verbose", action="count", default=0, help="say the job's id; twice, where it runs")
    made.add_argument("command", nargs=REMAINDER, metavar="COMMAND ...", help="what to run")
    return made


def main(argv: list[str]) -> int:
    """Runs `flux run`."""
    made = parser()
    args = made.parse_args(argv)
    command = args.command[1:] if args.command[:1] == ["--"] else args.command
    if not command:
        made.error("a command is required")
    job = {
        "command": [_text(word) for word in command],
        "environment": _environment(args.env),
        "cwd": _text(os.path.normpath(absolute(args.cwd or os.curdir))),
        "unbuffered": args.unbuffered,
    }
    if args.stream:
        from flux.stream.places import OUTPUT

        job["stream"] = _text(args.stream) + OUTPUT
    fill_standard()
    with Flux() as handle:
        where = place(handle, args.ntasks, args.nodes, args.tasks_per_node)
        return Attendance(handle, job | where, _terminal(args), lambda text: complain("flux-run", text)).run()


def _terminal(args: Namespace) -> Terminal:
    output, error = args.output, args.error or args.output
    templates = {stream: path for stream, path in (("stdout", output), ("stderr", error)) if path}
    return Terminal(args.input, templates, args.label_io, args.verbose)


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 0 < int(text) < 1 << 24:
        raise ArgumentTypeError(f"'{text}' is not a number from 1 on")
    return int(text)


def _text(word: str) -> str:
    """Directories, names and arguments travel as UTF-8."""
    try:
        word.encode()
    except UnicodeEncodeError:
        raise OSError(EILSEQ, f"{word!a}: not UTF-8") from None
    return word


def _environment(rules: list[str]) -> dict[str, str]:
    env = dict(os.environ)
    if rules:
        from flux.base.envrules import apply
        from flux.commands.envfiles import expanded

        try:
            env = apply(expanded(rules), os.environ)
        except ValueError as error:
            raise OSError(EINVAL, f"--env: {error}") from None
    return {name: value for name, value in env.items() if (name + value).isascii() or _is_text(name + value)}


def _is_text(value: str) -> bool:
    try:
        return bool(value.encode())
    except UnicodeEncodeError:
        return False
