"""`flux job`: the commands that change jobs."""

from argparse import Namespace
from typing import Any

from flux.base.jobid import JobID
from flux.commands.complaint import complain
from flux.commands.jobcommand import Command, jobid, many, one, signum
from flux.commands.parser import Parser, count, duration
from flux.core.handle import Flux


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
    many(made)


def _raise(handle: Flux, args: Namespace) -> int:
    payload = {"severity": args.severity, "type": args.type, "note": args.message}
    return _each(handle, args.jobids, "job-manager.raise", payload)


def _cancel_options(made: Parser) -> None:
    made.add_argument("-m", "--message", default="", metavar="NOTE", help="why")
    many(made)


def _cancel(handle: Flux, args: Namespace) -> int:
    payload = {"severity": 0, "type": "cancel", "note": args.message}
    return _each(handle, args.jobids, "job-manager.raise", payload)


def _kill_options(made: Parser) -> None:
    made.add_argument("-s", "--signal", type=signum, default=15, metavar="SIG", help="by name or number (TERM)")
    many(made)


def _kill(handle: Flux, args: Namespace) -> int:
    return _each(handle, args.jobids, "job-manager.kill", {"signum": int(args.signal)})


def _all_options(made: Parser) -> None:
    made.add_argument("-u", "--user", metavar="USER", help="whose: a name, a number, or all (yours)")
    made.add_argument("-f", "--force", action="store_true", help="do it; else it is only said how many that would be")


def _killall_options(made: Parser) -> None:
    made.add_argument("-s", "--signal", type=signum, default=15, metavar="SIG", help="by name or number (TERM)")
    _all_options(made)


def _killall(handle: Flux, args: Namespace) -> int:
    from flux.commands.joblisting import userid

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
    from flux.commands.joblisting import userid

    asked = {"dry_run": not args.force, "userid": userid(args.user), "states": args.states, "type": args.type}
    more = {"severity": args.severity, "note": args.message}
    return _counted(handle.rpc("job-manager.raiseall", asked | more).get(), "raise an exception on", args)


def _counted(told: dict[str, int], what: str, args: Namespace) -> int:
    done = "did" if args.force else "would"
    complain("flux-job", f"{done} {what} {told['count']} job{'s' * (told['count'] != 1)} ({told['errors']} errors)")
    return 1 if told["errors"] else 0


def _urgency_options(made: Parser) -> None:
    made.add_argument("-v", "--verbose", action="store_true", help="say what it was")
    one(made)
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
    one(made)
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


COMMANDS = {
    "cancel": Command(_cancel, "Cancel jobs", "  flux job cancel JOBID", _cancel_options),
    "raise": Command(_raise, "Raise exceptions on jobs", "  flux job raise -t note -s 7 -m hi JOBID", _raise_options),
    "raiseall": Command(_raiseall, "Raise exceptions on all jobs", "  flux job raiseall -f cancel", _raiseall_options),
    "kill": Command(_kill, "Signal the tasks of running jobs", "  flux job kill -s USR1 JOBID", _kill_options),
    "killall": Command(_killall, "Signal the tasks of all running jobs", "  flux job killall -f", _killall_options),
    "urgency": Command(_urgency, "Change a job's urgency", "  flux job urgency JOBID hold", _urgency_options),
    "memo": Command(_memo, "Note something about a job", "  flux job memo JOBID color=red", _memo_options),
    "purge": Command(_purge, "Forget jobs that are over", "  flux job purge --num-limit=1000 -f", _purge_options),
}
