"""`flux job`: the commands that look into one job."""

from argparse import Namespace

from flux.base.jobid import JobID
from flux.commands.complaint import complain
from flux.commands.jobcommand import Command, jobid, one
from flux.commands.parser import Parser, count, duration
from flux.core.handle import Flux

# -- what is written of a job ---------------------------------------------------------------------------------------


def _info_options(made: Parser) -> None:
    made.add_argument("-o", "--original", action="store_true", help="the jobspec as it was submitted")
    made.add_argument("-b", "--base", action="store_true", help="without what was changed later")
    one(made)
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
    one(made)


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
    one(made)
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
    one(made)


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


# -- where it runs, and why ----------------------------------------------------------------------------------------


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
    "explain": Command(_explain, "Say why a job waits, or why it failed", "  flux job explain JOBID", one),
    "status": Command(_status, "Wait for jobs, and exit as they did", "  flux job status JOBID", _status_options),
    "wait": Command(_wait, "Wait for waitable jobs", "  flux job wait\n  flux job wait --all", _wait_options),
    "wait-event": Command(
        _wait_event, "Wait for an event of a job", "  flux job wait-event -t 5s JOBID start", _wait_event_options
    ),
    "eventlog": Command(
        _eventlog, "Show what has happened to a job", "  flux job eventlog -H JOBID", _eventlog_options
    ),
    "info": Command(_info, "Show what is written of a job", "  flux job info JOBID R", _info_options),
    "timeleft": Command(_timeleft, "Show how long a job may run", "  flux job timeleft -H JOBID", _timeleft_options),
    "taskmap": Command(_taskmap, "Show which task runs on which node", "  flux job taskmap JOBID", one),
}
