"""`flux bulksubmit`: a job for each combination of inputs, as GNU parallel has it."""

import random
import sys
from argparse import Namespace
from typing import Any

from flux.base.invalid import Invalid
from flux.commands import jobspecoptions, jobsubmission
from flux.commands.bulkinputs import Filler, methods, parse
from flux.commands.complaint import complain
from flux.commands.parser import Parser, command_parser

EXAMPLES = """\
  flux bulksubmit echo {} ::: a b c                    three jobs
  flux bulksubmit -n {0} ./a.out {1} ::: 1 2 4 ::: x y six: all combinations
  flux bulksubmit ./a.out {0} {1} ::: a b :::+ 1 2     two: a with 1, b with 2
  ls *.dat | flux bulksubmit --job-name={./%} ./fit {} inputs from stdin, one on each line
  flux bulksubmit ./fit {} :::: names                  inputs from a file
  flux bulksubmit --define=p2='2**int(x)' -n {.p2} hostname ::: $(seq 0 4)

{} is the input, {0} and {1} the first and the second; {.%} it without its extension, {./} its last part, {.//} its
directory, {./%} its last part without extension; {seq} and {seq1} the command's number from 0 and from 1, {cc} that of
--cc. --dry-run says what would be submitted.
"""
MUTABLE = {
    "queue": "-q",
    "bank": "-B",
    "ntasks": "-n",
    "nodes": "-N",
    "cores_per_task": "-c",
    "gpus_per_task": "-g",
    "mem": "--mem=",
    "cores": "--cores=",
    "tasks_per_node": "--tasks-per-node=",
    "tasks_per_core": "--tasks-per-core=",
    "gpus_per_node": "--gpus-per-node=",
    "time_limit": "-t",
    "env": "--env=",
    "urgency": "--urgency=",
    "setopt": "-o ",
    "setattr": "--setattr=",
    "job_name": "--job-name=",
    "input": "--input=",
    "output": "--output=",
    "error": "--error=",
    "cc": "--cc=",
    "bcc": "--bcc=",
    "dependency": "--dependency=",
    "taskmap": "--taskmap=",
    "requires": "--requires=",
    "cwd": "--cwd=",
    "begin_time": "--begin-time=",
    "signal": "--signal=",
}
"""The options that inputs may be in, and how they are shown."""


def parser() -> Parser:
    """The options of `flux bulksubmit`."""
    made = command_parser("bulksubmit", "Submit a job for each combination of inputs.", EXAMPLES)
    made.usage = "flux bulksubmit [OPTIONS] COMMAND [ARGUMENT ...] [::: INPUT ...] ..."
    group = made.add_argument_group("inputs")
    group.add_argument("--sep", default="\\n", metavar="TEXT", help="what is between inputs; none is white space (\\n)")
    group.add_argument("--define", action="append", default=[], metavar="NAME=CODE", help="{.NAME}: Python, input is x")
    group.add_argument("--shuffle", action="store_true", help="in random order")
    jobsubmission.add_options(made)
    jobspecoptions.add_options(made)
    return made


def main(argv: list[str]) -> int:
    """Runs `flux bulksubmit`."""
    made = parser()
    args = made.parse_args(argv)
    try:
        commands = _commands(args)
    except Invalid as error:
        complain("flux-bulksubmit", str(error))
        return 1
    if args.dry_run or args.verbose:
        for one in commands:
            print(f"bulksubmit: submit {_described(args, one)}")
    if args.dry_run:
        return 0
    return jobsubmission.run(made, args, lambda _: [copy for one in commands for copy in jobsubmission.numbered(one)])


def _commands(args: Namespace) -> list[Namespace]:
    """The arguments of each command."""
    defined = methods(args.define)
    words = args.command[1:] if args.command[:1] == ["--"] else args.command
    command, combinations = parse(words, lambda path: _read(path, args.sep))
    if not combinations:
        raise Invalid("no jobs provided for bulk submission")
    made = [_filled(args, command, Filler(inputs, number, defined)) for number, inputs in enumerate(combinations)]
    if args.shuffle:
        random.shuffle(made)
    return made


def _filled(args: Namespace, command: list[str], filler: Filler) -> Namespace:
    made = Namespace(**vars(args))
    made.command = filler.words(command)
    for name in MUTABLE:
        value = getattr(args, name)
        if isinstance(value, str):
            setattr(made, name, filler(value))
        elif isinstance(value, list):
            setattr(made, name, [filler(text) for text in value])
    return made


def _read(path: str, sep: str) -> list[str]:
    text = sys.stdin.read() if path == "-" else _text(path)
    between = None if sep.lower() == "none" else sep.encode().decode("unicode_escape")
    return [one for one in text.split(between) if one]


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError as error:
        raise OSError(error.errno, f"{path}: {error.strerror}") from None


def _described(args: Namespace, one: Namespace) -> str:
    """The command, with the options that inputs have changed."""

    def shown(name: str) -> bool:
        value: Any = getattr(one, name)
        return bool(value) and (name == "cc" or value != getattr(args, name))

    return " ".join(
        [*(f"{option}{getattr(one, name)}" for name, option in MUTABLE.items() if shown(name)), *one.command]
    )
