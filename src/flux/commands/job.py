"""`flux job`: looks into jobs, signals and changes them."""

import json
import sys
from argparse import Namespace
from collections.abc import Callable
from typing import Any, NamedTuple

from flux.base.jobid import JobID
from flux.commands.complaint import complain
from flux.commands.parser import Parser, command_parser, count, duration
from flux.core.handle import Flux

EXAMPLES = """\
  flux job attach JOBID                its output, from the beginning to the end; Ctrl-C leaves it
  flux job eventlog JOBID              what has happened to it, in seconds since 1970
  flux job wait-event JOBID start      wait until it runs
  flux job info JOBID R                what it got; or jobspec, eventlog, guest.output
  flux job explain JOBID               why it waits, or why it failed
  flux job last                        the id of your latest job
  flux job COMMAND --help              the options of one command
"""


class Command(NamedTuple):
    """One of the commands: what it does, its help, its options."""

    do: Callable[[Flux, Namespace], int | None]
    summary: str
    examples: str
    options: Callable[[Parser], None]

    def fill(self, made: Parser) -> Parser:
        """Gives a parser the options."""
        made.description, made.epilog = f"{self.summary}.", f"examples:\n{self.examples}"
        self.options(made)
        made.set_defaults(do=self.do)
        return made


def parser() -> Parser:
    """The options of `flux job`."""
    made = command_parser("job", "Look into jobs, signal and change them.", EXAMPLES)
    commands = made.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, command in COMMANDS.items():
        command.fill(commands.add_parser(name, help=command.summary))
    return made


def main(argv: list[str]) -> int:
    """Runs `flux job`."""
    if argv and argv[0] in COMMANDS:
        args = COMMANDS[argv[0]].fill(Parser(prog=f"flux job {argv[0]}")).parse_args(argv[1:])
    else:
        args = parser().parse_args(argv)
    if args.do is _id:
        return _id(None, args) or 0
    with Flux() as handle:
        return args.do(handle, args) or 0


def jobid(text: str) -> JobID:
    """An id in any of its forms."""
    from argparse import ArgumentTypeError

    try:
        return JobID(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None


def _one(made: Parser) -> None:
    made.add_argument("jobid", type=jobid, metavar="JOBID", help="which job")


# -- ids ------------------------------------------------------------------------------------------------------------


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


# -- what is written of a job ---------------------------------------------------------------------------------------


def _info_options(made: Parser) -> None:
    made.add_argument("-o", "--original", action="store_true", help="the jobspec as it was submitted")
    made.add_argument("-b", "--base", action="store_true", help="without what was changed later")
    _one(made)
    made.add_argument("key", metavar="KEY", help="R, J, jobspec, eventlog, guest.exec.eventlog, guest.output")


def _info(handle: Flux, args: Namespace) -> int:
    key = "J" if args.original and args.key == "jobspec" else args.key
    flags = 0 if args.base or key not in ("R", "jobspec") else 2
    try:
        text = handle.rpc("job-info.lookup", {"id": args.jobid, "keys": [key], "flags": flags}).get()[key]
    except OSError as error:
        complain("flux-job", f"{args.jobid.f58}: {key}: {error.strerror or 'no such key'}")
        return 1
    if args.original and key == "J":
        from binascii import a2b_base64

        text = a2b_base64(text.split(".")[1]).decode()
    print(text.rstrip("\n"))
    return 0


def _eventlog_options(made: Parser) -> None:
    _log_options(made)
    _one(made)


def _log_options(made: Parser) -> None:
    made.add_argument("-p", "--path", default="eventlog", help="which log: eventlog, exec, output, or a key")
    made.add_argument("-f", "--format", default="text", choices=("text", "json"), help="text or json")
    times = ("raw", "iso", "offset")
    made.add_argument("-T", "--time-format", default="raw", choices=times, help="seconds, dates, or since the first")
    made.add_argument("-H", "--human", action="store_true", help="for people: dates once, then what has passed")


def _eventlog(handle: Flux, args: Namespace) -> None:
    from flux.commands.jobevents import show

    show(handle, args)


def _wait_event_options(made: Parser) -> None:
    _log_options(made)
    made.add_argument("-t", "--timeout", type=duration, default=-1.0, metavar="FSD", help="no longer than that")
    made.add_argument("-m", "--match-context", metavar="KEY=VALUE", help="only an event that says so")
    made.add_argument("-c", "--count", type=count, default=1, metavar="N", help="the N-th such event (1)")
    made.add_argument("-q", "--quiet", action="store_true", help="do not print it")
    made.add_argument("-v", "--verbose", action="store_true", help="print those before it, too")
    made.add_argument("-W", "--waitcreate", action="store_true", help="wait for a log that is not there yet")
    _one(made)
    made.add_argument("event", metavar="EVENT", help="its name")


def _wait_event(handle: Flux, args: Namespace) -> int:
    from flux.commands.jobevents import wait

    return wait(handle, args)


# -- being with a job -----------------------------------------------------------------------------------------------


def _attach_options(made: Parser) -> None:
    made.add_argument("-l", "--label-io", action="store_true", help="put its task's number before each line")
    made.add_argument("-E", "--show-events", action="store_true", help="its events, on stderr")
    made.add_argument("-X", "--show-exec", action="store_true", help="those of its execution, too")
    made.add_argument("-w", "--wait-event", default="finish", metavar="NAME", help="leave it at that event (finish)")
    made.add_argument("-q", "--quiet", action="store_true", help="say nothing about it")
    made.add_argument("-r", "--read-only", action="store_true", help="neither our stdin nor our signals are passed on")
    _one(made)


def _attach(handle: Flux, args: Namespace) -> int:
    from flux.commands.jobattach import Attachment, Wishes

    given = {name: getattr(args, name) for name in Wishes._fields if hasattr(args, name)}
    return Attachment(handle, args.jobid, Wishes(**given)).run()


def _status_options(made: Parser) -> None:
    made.add_argument("-v", "--verbose", action="count", default=0, help="say what each came to")
    made.add_argument(
        "-e", "--exception-exit-code", type=count, default=1, metavar="N", help="exit code for one that never ran (1)"
    )
    made.add_argument("-j", "--json", action="store_true", help="for programs")
    made.add_argument("jobids", nargs="+", type=jobid, metavar="JOBID", help="which jobs")


def _status(handle: Flux, args: Namespace) -> int:
    from flux.commands.jobends import status

    return status(handle, args)


def _wait_options(made: Parser) -> None:
    made.add_argument("-a", "--all", action="store_true", help="all waitable jobs")
    made.add_argument("-v", "--verbose", action="store_true", help="say what each came to")
    made.add_argument("jobid", nargs="?", type=jobid, metavar="JOBID", help="which job (any)")


def _wait(handle: Flux, args: Namespace) -> int:
    from flux.commands.jobends import wait

    return wait(handle, args)


# -- changing jobs --------------------------------------------------------------------------------------------------


def _many(made: Parser) -> None:
    made.add_argument("jobids", nargs="+", type=jobid, metavar="JOBID", help="which jobs")


def _each(handle: Flux, ids: list[JobID], topic: str, payload: dict[str, Any]) -> int:
    """Asks it of each; says which of them refuse."""
    asked = [(id, handle.rpc(topic, {"id": id, **payload})) for id in ids]
    code = 0
    for id, rpc in asked:
        try:
            rpc.get()
        except OSError as error:
            complain("flux-job", f"{id.f58}: {error.strerror}")
            code = 1
    return code


def _raise_options(made: Parser) -> None:
    made.add_argument("-s", "--severity", type=count, default=0, metavar="N", help="0 ends the job (the default), to 7")
    made.add_argument("-t", "--type", default="cancel", help="what kind of exception (cancel)")
    made.add_argument("-m", "--message", default="", metavar="NOTE", help="why")
    _many(made)


def _raise(handle: Flux, args: Namespace) -> int:
    payload = {"severity": args.severity, "type": args.type, "note": args.message}
    return _each(handle, args.jobids, "job-manager.raise", payload)


def _cancel_options(made: Parser) -> None:
    made.add_argument("-m", "--message", default="", metavar="NOTE", help="why")
    _many(made)


def _cancel(handle: Flux, args: Namespace) -> int:
    payload = {"severity": 0, "type": "cancel", "note": args.message}
    return _each(handle, args.jobids, "job-manager.raise", payload)


def _kill_options(made: Parser) -> None:
    made.add_argument("-s", "--signal", type=signum, default=15, metavar="SIG", help="by name or number (TERM)")
    _many(made)


def signum(text: str) -> int:
    """A signal by its name or number."""
    import signal
    from argparse import ArgumentTypeError

    if text.isdecimal():
        return int(text)
    try:
        return signal.Signals[text.upper() if text.upper().startswith("SIG") else f"SIG{text.upper()}"]
    except KeyError:
        raise ArgumentTypeError(f"'{text}' is not a signal") from None


def _kill(handle: Flux, args: Namespace) -> int:
    return _each(handle, args.jobids, "job-manager.kill", {"signum": int(args.signal)})


def _all_options(made: Parser) -> None:
    made.add_argument("-u", "--user", metavar="USER", help="whose: a name, a number, or all (yours)")
    made.add_argument("-f", "--force", action="store_true", help="do it; else it is only said how many that would be")


def _killall_options(made: Parser) -> None:
    made.add_argument("-s", "--signal", type=signum, default=15, metavar="SIG", help="by name or number (TERM)")
    _all_options(made)


def _killall(handle: Flux, args: Namespace) -> int:
    from flux.commands.cancel import userid

    asked = {"dry_run": not args.force, "userid": userid(args.user), "signum": int(args.signal)}
    return _counted(handle.rpc("job-manager.killall", asked).get(), "signal", args)


def _raiseall_options(made: Parser) -> None:
    from flux.commands.cancel import states

    made.add_argument("-s", "--severity", type=count, default=0, metavar="N", help="0 ends jobs (the default), to 7")
    made.add_argument("-S", "--states", type=states, default=62, metavar="STATE,...", help="in which states (active)")
    made.add_argument("-m", "--message", default="", metavar="NOTE", help="why")
    _all_options(made)
    made.add_argument("type", metavar="TYPE", help="what kind of exception")


def _raiseall(handle: Flux, args: Namespace) -> int:
    from flux.commands.cancel import userid

    asked = {"dry_run": not args.force, "userid": userid(args.user), "states": args.states, "type": args.type}
    more = {"severity": args.severity, "note": args.message}
    return _counted(handle.rpc("job-manager.raiseall", asked | more).get(), "raise an exception on", args)


def _counted(told: dict[str, int], what: str, args: Namespace) -> int:
    done = "did" if args.force else "would"
    complain("flux-job", f"{done} {what} {told['count']} job{'s' * (told['count'] != 1)} ({told['errors']} errors)")
    return 1 if told["errors"] else 0


def _urgency_options(made: Parser) -> None:
    made.add_argument("-v", "--verbose", action="store_true", help="say what it was")
    _one(made)
    made.add_argument("urgency", metavar="N", help="0 (hold) to 31 (expedite), default is 16")


def _urgency(handle: Flux, args: Namespace) -> None:
    from flux.commands.jobspecoptions import urgency

    asked = {"id": args.jobid, "urgency": urgency(args.urgency)}
    old = handle.rpc("job-manager.urgency", asked).get()["old_urgency"]
    if args.verbose:
        names = {0: "held", 31: "expedited"}
        print(f"old urgency: {names.get(old, old)}")


def _memo_options(made: Parser) -> None:
    made.add_argument("--volatile", action="store_true", help="not beyond a restart")
    _one(made)
    made.add_argument("memo", nargs="+", metavar="KEY=VALUE", help="what is to be noted; KEY=- is taken away")


def _memo(handle: Flux, args: Namespace) -> None:
    from flux.commands.jobspecoptions import pair, put

    memo: dict[str, Any] = {}
    for text in args.memo:
        key, value = pair(text)
        put(memo, key, None if value == "-" else value)
    handle.rpc("job-manager.memo", {"id": args.jobid, "memo": memo, "volatile": args.volatile}).get()


def _purge_options(made: Parser) -> None:
    made.add_argument("-f", "--force", action="store_true", help="do it; else it is only said how many that would be")
    made.add_argument("--age-limit", type=duration, default=-1.0, metavar="FSD", help="those that ended longer ago")
    made.add_argument("--num-limit", type=int, default=-1, metavar="N", help="all but the latest N")
    made.add_argument("--batch", type=count, default=50, metavar="N", help="so many at once (50)")
    made.add_argument("jobids", nargs="*", type=jobid, metavar="JOBID", help="these")


def _purge(handle: Flux, args: Namespace) -> int:
    total = 0
    if args.jobids:
        for id in args.jobids:
            total += handle.rpc("job-manager.purge-id", {"id": id, "force": args.force}).get()["count"]
    else:
        asked = {"age_limit": args.age_limit, "num_limit": args.num_limit, "batch": args.batch, "force": args.force}
        while True:
            found = handle.rpc("job-manager.purge", asked).get()["count"]
            total += found
            if not args.force or found < args.batch:
                break
    if args.force:
        print(f"purged {total} inactive jobs")
    else:
        print(f"use --force to purge {total} inactive jobs")
    return 0


# -- many jobs ------------------------------------------------------------------------------------------------------


def _stats(handle: Flux, args: Namespace) -> None:
    print(json.dumps(handle.rpc("job-list.job-stats", {}).get()))


def _list_options(made: Parser) -> None:
    made.add_argument("-a", "--all", action="store_true", help="also those that are over")
    made.add_argument("-u", "--user", metavar="USER", help="whose: a name, a number, or all (yours)")
    made.add_argument("-c", "--count", type=count, default=0, metavar="N", help="at most so many (all)")


def _list(handle: Flux, args: Namespace) -> None:
    from flux.commands.cancel import userid

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


def _timeleft_options(made: Parser) -> None:
    made.add_argument("-H", "--human", action="store_true", help="as 1.5h")
    made.add_argument("jobid", nargs="?", type=jobid, metavar="JOBID", help="which job (the one that this runs in)")


def _timeleft(handle: Flux, args: Namespace) -> int:
    import os
    import time

    from flux.base.duration import fsd

    id = args.jobid or (JobID(os.environ["FLUX_JOB_ID"]) if "FLUX_JOB_ID" in os.environ else None)
    if id is None:
        complain("flux-job", "timeleft: no JOBID, and not in a job")
        return 1
    told = handle.rpc("job-list.list-id", {"id": id, "attrs": ["expiration", "state"]}).get()["job"]
    if not told["state"] & 48:
        complain("flux-job", f"{id.f58}: job is {'not started yet' if told['state'] < 16 else 'no longer running'}")
        return 1
    left = told.get("expiration", 0.0) - time.time() if told.get("expiration") else float("inf")
    if left == float("inf"):
        print("infinity" if args.human else 4294967295)
    else:
        print(fsd(max(0.0, left)) if args.human else int(max(0.0, left)))
    return 0


def _taskmap(handle: Flux, args: Namespace) -> int:
    from flux.base.taskmap import Taskmap
    from flux.job.event import event_watch

    for event in event_watch(handle, args.jobid, "guest.exec.eventlog"):
        if event.name == "shell.start":
            print(Taskmap.from_json(event.context["taskmap"]).encode())
            return 0
    complain("flux-job", f"{args.jobid.f58}: has no task map")
    return 1


def _explain(handle: Flux, args: Namespace) -> int:
    from flux.commands.jobexplain import explain

    return explain(handle, args.jobid)


COMMANDS = {
    "attach": Command(_attach, "Show a job's output until it is over", "  flux job attach -l JOBID", _attach_options),
    "explain": Command(_explain, "Say why a job waits, or why it failed", "  flux job explain JOBID", _one),
    "status": Command(_status, "Wait for jobs, and exit as they did", "  flux job status JOBID", _status_options),
    "wait": Command(_wait, "Wait for waitable jobs", "  flux job wait\n  flux job wait --all", _wait_options),
    "wait-event": Command(
        _wait_event, "Wait for an event of a job", "  flux job wait-event -t 5s JOBID start", _wait_event_options
    ),
    "eventlog": Command(
        _eventlog, "Show what has happened to a job", "  flux job eventlog -H JOBID", _eventlog_options
    ),
    "info": Command(_info, "Show what is written of a job", "  flux job info JOBID R", _info_options),
    "id": Command(_id, "Write ids in another form", "  flux job id --to=dothex ƒuZZybuNNy", _id_options),
    "last": Command(_last, "Show the ids of your latest jobs", "  flux job last\n  flux job last 5", _last_options),
    "list": Command(_list, "List jobs, for programs", "  flux job list -a", _list_options),
    "list-ids": Command(_list_ids, "List some jobs, for programs", "  flux job list-ids JOBID", _many),
    "stats": Command(_stats, "Show how many jobs there are, for programs", "  flux job stats", lambda made: None),
    "cancel": Command(_cancel, "Cancel jobs", "  flux job cancel JOBID", _cancel_options),
    "raise": Command(_raise, "Raise exceptions on jobs", "  flux job raise -t note -s 7 -m hi JOBID", _raise_options),
    "raiseall": Command(_raiseall, "Raise exceptions on all jobs", "  flux job raiseall -f cancel", _raiseall_options),
    "kill": Command(_kill, "Signal the tasks of running jobs", "  flux job kill -s USR1 JOBID", _kill_options),
    "killall": Command(_killall, "Signal the tasks of all running jobs", "  flux job killall -f", _killall_options),
    "urgency": Command(_urgency, "Change a job's urgency", "  flux job urgency JOBID hold", _urgency_options),
    "memo": Command(_memo, "Note something about a job", "  flux job memo JOBID color=red", _memo_options),
    "purge": Command(_purge, "Forget jobs that are over", "  flux job purge --num-limit=1000 -f", _purge_options),
    "timeleft": Command(_timeleft, "Show how long a job may run", "  flux job timeleft -H JOBID", _timeleft_options),
    "taskmap": Command(_taskmap, "Show which task runs on which node", "  flux job taskmap JOBID", _one),
}
