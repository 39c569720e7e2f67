"""What the commands of `flux job` are made of."""

import signal
from argparse import ArgumentTypeError, Namespace
from collections.abc import Callable
from typing import Any, NamedTuple

from flux.base.jobid import JobID
from flux.commands.parser import Parser


class Command(NamedTuple):
    """One of the commands: what it does, its help, its options."""

    do: Callable[[Any, Namespace], int | None]
    """Takes the handle, or None if it needs none."""
    summary: str
    examples: str
    options: Callable[[Parser], None]

    def fill(self, made: Parser) -> Parser:
        """Gives a parser the options."""
        made.description, made.epilog = f"{self.summary}.", f"examples:\n{self.examples}"
        self.options(made)
        made.set_defaults(do=self.do)
        return made


def jobid(text: str) -> JobID:
    """An id in any of its forms."""
    try:
        return JobID(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None


def one(made: Parser) -> None:
    """Adds the argument JOBID."""
    made.add_argument("jobid", type=jobid, metavar="JOBID", help="which job")


def many(made: Parser) -> None:
    """Adds the arguments JOBID ..."""
    made.add_argument("jobids", nargs="+", type=jobid, metavar="JOBID", help="which jobs")


def signum(text: str) -> int:
    """A signal by its name or number."""
    if text.isdecimal():
        return int(text)
    try:
        return signal.Signals[text.upper() if text.upper().startswith("SIG") else f"SIG{text.upper()}"]
    except KeyError:
        raise ArgumentTypeError(f"'{text}' is not a signal") from None
