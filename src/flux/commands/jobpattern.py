"""The jobs that `flux pgrep` and `flux pkill` mean: by a pattern in their names, or a range of ids (flux-pgrep(1))."""

import re
from argparse import Namespace
from collections.abc import Sequence
from typing import Any

from flux.base.invalid import Invalid
from flux.base.jobid import JobID
from flux.commands import joblisting
from flux.commands.parser import Parser, count
from flux.core.handle import Flux


class Expression:
    """What was asked for. Raises Invalid."""

    def __init__(self, words: Sequence[str]) -> None:
        self._pattern: re.Pattern[str] | None = None
        self._range: tuple[int, int] | None = None
        for word in words:
            if ".." in word and ":" not in word and self._is_range(word):
                continue
            if self._pattern is not None:
                raise Invalid("Only one pattern can be provided")
            try:
                self._pattern = re.compile(word.removeprefix("name:"))
            except re.error as error:
                raise Invalid(f"{word}: {error}") from None

    def _is_range(self, word: str) -> bool:
        first, _, last = word.partition("..")
        try:
            self._range = JobID(first), JobID(last)
        except ValueError:
            return False
        return True

    def matches(self, id: int, name: str) -> bool:
        """Whether a job is meant."""
        if self._pattern is not None and not self._pattern.search(name):
            return False
        return self._range is None or self._range[0] <= id <= self._range[1]


def add_options(made: Parser) -> None:
    """Adds those that both have."""
    made.add_argument("-a", dest="everything", action="store_true", help="also jobs that are over")
    made.add_argument("-A", action="store_true", help="jobs of all users")
    made.add_argument("-u", "--user", metavar="USER", help="jobs of one user, by name or number; all (yours)")
    made.add_argument("-f", "--filter", action="append", metavar="STATE|RESULT", help="in states, or with results")
    made.add_argument("-q", "--queue", action="append", metavar="NAME", help="of queues")
    made.add_argument("-c", "--count", type=count, default=0, metavar="N", help="the first N that match (all)")
    made.add_argument("--max-entries", type=count, default=1000, metavar="N", help="look at so many jobs (1000)")
    what = "a pattern in the name, or FIRST..LAST id"
    made.add_argument("expression", nargs="+", metavar="EXPRESSION", help=what)


def found(handle: Flux, args: Namespace, attributes: list[str]) -> list[dict[str, Any]]:
    """The jobs, as job-list tells of them. Raises Invalid."""
    expression = Expression(args.expression)
    parts = [*joblisting.by_user("all" if args.A else args.user), *joblisting.by_queue(args.queue)]
    constraint = {"and": [*parts, joblisting.by_filter(args.filter, everything=args.everything)]}
    wanted = attributes if "all" in attributes else [*{*attributes, "name"}]
    asked = {"max_entries": args.max_entries, "attrs": wanted, "since": 0.0, "constraint": constraint}
    jobs = handle.rpc("job-list.list", asked).get()["jobs"]
    matching = [told for told in jobs if expression.matches(told["id"], told.get("name") or "")]
    return matching[: args.count] if args.count else matching
