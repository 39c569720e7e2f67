"""`flux job`: ids, and lists of jobs for programs."""

import json
import sys
from argparse import Namespace

from flux.base.jobid import JobID
from flux.commands.complaint import complain
from flux.commands.jobcommand import Command, many
from flux.commands.parser import Parser, count
from flux.core.handle import Flux


def _id_options(made: Parser) -> None:
    ways = ("dec", "hex", "f58", "f58plain", "dothex", "kvs")
    made.add_argument("-t", "--to", default="dec", choices=ways, help="the form (dec)")
    made.add_argument("jobids", nargs="*", metavar="JOBID", help="in any form (one on each line of stdin)")


def _id(_: Flux | None, args: Namespace) -> int:
    for text in args.jobids or (line.strip() for line in sys.stdin):
        try:
            print(getattr(JobID(text), args.to))
        except ValueError as error:
            complain("flux-job", str(error))
            return 1
    return 0


def _last_options(made: Parser) -> None:
    made.add_argument("which", nargs="?", default="[0:1]", metavar="N|SLICE", help="so many; or [A:B], as of a list")


def _last(handle: Flux, args: Namespace) -> int:
    text = args.which
    sliced = text if text.startswith("[") else f"[:{text}]"
    jobs = handle.rpc("job-manager.history.get", {"slice": sliced}).get()["jobs"]
    for id in jobs:
        print(JobID(id).f58)
    if not jobs:
        complain("flux-job", "job history is empty")
    return 0 if jobs else 1


def _stats(handle: Flux, args: Namespace) -> None:
    print(json.dumps(handle.rpc("job-list.job-stats", {}).get()))


def _list_options(made: Parser) -> None:
    made.add_argument("-a", "--all", action="store_true", help="also those that are over")
    made.add_argument("-u", "--user", metavar="USER", help="whose: a name, a number, or all (yours)")
    made.add_argument("-c", "--count", type=count, default=0, metavar="N", help="at most so many (all)")


def _list(handle: Flux, args: Namespace) -> None:
    from flux.commands.joblisting import userid

    states = ["active", *(["inactive"] if args.all else [])]
    constraint = {"and": [{"userid": [userid(args.user)]}, {"states": states}]}
    asked = {"max_entries": args.count, "attrs": ["all"], "constraint": constraint}
    for told in handle.rpc("job-list.list", asked).get()["jobs"]:
        print(json.dumps(told))


def _list_ids(handle: Flux, args: Namespace) -> int:
    code = 0
    for id in args.jobids:
        try:
            print(json.dumps(handle.rpc("job-list.list-id", {"id": id, "attrs": ["all"]}).get()["job"]))
        except OSError as error:
            complain("flux-job", f"{id.f58}: {error.strerror}")
            code = 1
    return code


COMMANDS = {
    "id": Command(_id, "Write ids in another form", "  flux job id --to=dothex ƒuZZybuNNy", _id_options),
    "last": Command(_last, "Show the ids of your latest jobs", "  flux job last\n  flux job last 5", _last_options),
    "list": Command(_list, "List jobs, for programs", "  flux job list -a", _list_options),
    "list-ids": Command(_list_ids, "List some jobs, for programs", "  flux job list-ids JOBID", many),
    "stats": Command(_stats, "Show how many jobs there are, for programs", "  flux job stats", lambda made: None),
}
