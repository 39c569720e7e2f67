"""`flux queue`: shows, stops and starts queues; waits until what is in them is done."""

from argparse import Namespace
from typing import Any

from flux.commands.complaint import complain
from flux.commands.parser import Parser, command_parser, duration, subcommand
from flux.core.handle import Flux
from flux.rpc import RPC

EXAMPLES = """\
  flux queue status                      do queues take jobs, and start them?
  flux queue stop -m 'new software' batch     start no more jobs of one queue
  flux queue disable --all -m 'the end'  take no more jobs
  flux queue drain                       wait until all jobs are over
  flux queue idle --timeout=10m          wait until none runs, ten minutes at most
"""


def parser() -> Parser:
    """The options of `flux queue`."""
    made = command_parser("queue", "Show, stop and start queues; wait until what is in them is done.", EXAMPLES)
    commands = made.add_subparsers(title="commands", metavar="COMMAND", required=True)
    of = _switch(commands, "status", "Show whether queues take jobs and start them", "  flux queue status -v", _status)
    of.add_argument("-v", "--verbose", action="store_true", help="also how many jobs wait and run")
    for name, text, do in (
        ("enable", "Take jobs", _enable),
        ("disable", "Take no more jobs", _disable),
        ("start", "Start jobs", _start),
        ("stop", "Start no more jobs", _stop),
    ):
        of = _switch(commands, name, text, f"  flux queue {name}\n  flux queue {name} --all", do)
        of.add_argument("-a", "--all", action="store_true", help="all queues")
        of.add_argument("--quiet", action="store_true", help="say nothing")
        of.add_argument("-v", "--verbose", action="store_true", help="say it of each queue")
        if name in ("disable", "stop"):
            of.add_argument("-m", "--message", metavar="REASON", help="why")
        if name in ("start", "stop"):
            of.add_argument("--nocheckpoint", action="store_true", help="not beyond a restart")
    waits = (("drain", "Wait until all jobs are over", _drain), ("idle", "Wait until no job runs", _idle))
    for name, text, wait in waits:
        of = subcommand(commands, name, text, f"  flux queue {name}\n  flux queue {name} --timeout=10m")
        of.add_argument("--timeout", type=duration, default=-1.0, metavar="FSD", help="wait no longer than that")
        of.add_argument("--quiet", action="store_true", help="say nothing")
        of.set_defaults(do=wait)
    listing = subcommand(commands, "list", "List queues, with their defaults and limits", "  flux queue list -o policy")
    from flux.commands.queuelist import add_options, show

    add_options(listing)
    listing.set_defaults(do=show)
    return made


def _switch(commands: Any, name: str, text: str, examples: str, do: Any) -> Parser:
    made = subcommand(commands, name, text, examples)
    made.add_argument("-q", "--queue", metavar="NAME", help="one queue")
    made.add_argument("queue_name", nargs="?", metavar="QUEUE", help="as --queue")
    made.set_defaults(do=do)
    return made


def main(argv: list[str]) -> int:
    """Runs `flux queue`."""
    args = parser().parse_args(argv)
    with Flux() as handle:
        return int(args.do(handle, args) or 0)


def _names(handle: Flux, args: Namespace) -> list[str | None]:
    named = args.queue or args.queue_name
    if named:
        return [named]
    return handle.rpc("job-manager.queue-list", {}).get()["queues"] or [None]


def _told(handle: Flux, name: str | None) -> dict[str, Any]:
    found: dict[str, Any] = handle.rpc("job-manager.queue-status", {"name": name} if name else {}).get()
    return found


def _status(handle: Flux, args: Namespace) -> None:
    for name in _names(handle, args):
        told = _told(handle, name)
        _say_submission(name, told)
        _say_scheduling(name, told)
    if args.verbose:
        told = handle.rpc("job-manager.alloc-query", {}).get()
        print(f"{told['queue_length']} alloc requests queued")
        print(f"{told['alloc_pending']} alloc requests pending to scheduler")
        print(f"{told['running']} running jobs")


def _say_submission(name: str | None, told: dict[str, Any]) -> None:
    reason = f": {told.get('disable_reason', '')}" if not told["enable"] else ""
    _say(name, f"Job submission is {'enabled' if told['enable'] else 'disabled'}{reason}")


def _say_scheduling(name: str | None, told: dict[str, Any]) -> None:
    reason = f": {told['stop_reason']}" if not told["start"] and told.get("stop_reason") else ""
    _say(name, f"Scheduling is {'started' if told['start'] else 'stopped'}{reason}")


def _say(name: str | None, text: str) -> None:
    print(f"{name}: {text}" if name else text)


def _change(handle: Flux, args: Namespace, topic: str, payload: dict[str, Any], say: Any) -> None:
    name = args.queue or args.queue_name
    payload |= {"all": args.all} | ({"name": name} if name else {})
    handle.rpc(topic, payload).get()
    if not args.quiet:
        for each in _names(handle, args):
            say(each, _told(handle, each))


def _enable(handle: Flux, args: Namespace) -> None:
    _change(handle, args, "job-manager.queue-enable", {"enable": True}, _say_submission)


def _disable(handle: Flux, args: Namespace) -> None:
    payload = {"enable": False, "reason": args.message or "disabled by administrator"}
    _change(handle, args, "job-manager.queue-enable", payload, _say_submission)


def _start(handle: Flux, args: Namespace) -> None:
    payload = {"start": True, "nocheckpoint": args.nocheckpoint}
    _change(handle, args, "job-manager.queue-start", payload, _say_scheduling)


def _stop(handle: Flux, args: Namespace) -> None:
    payload: dict[str, Any] = {"start": False, "nocheckpoint": args.nocheckpoint}
    if args.message:
        payload["reason"] = args.message
    _change(handle, args, "job-manager.queue-start", payload, _say_scheduling)


def _drain(handle: Flux, args: Namespace) -> int:
    return _wait(handle.rpc("job-manager.drain", {}), args, say=False)


def _idle(handle: Flux, args: Namespace) -> int:
    return _wait(handle.rpc("job-manager.idle", {}), args, say=True)


def _wait(rpc: RPC, args: Namespace, *, say: bool) -> int:
    try:
        rpc.wait_for(args.timeout)
    except TimeoutError:
        complain("flux-queue", "timeout")
        return 1
    pending = rpc.get()["pending"]
    if say and not args.quiet:
        print(f"{pending} jobs")
    return 0
