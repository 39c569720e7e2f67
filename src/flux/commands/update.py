"""`flux update`: changes what a job asks for."""

import json
from argparse import Namespace
from math import isinf
from typing import Any

from flux.base.duration import fsd, parse_fsd
from flux.base.invalid import Invalid
from flux.commands.complaint import complain
from flux.commands.jobcommand import jobid
from flux.commands.parser import Parser, command_parser
from flux.core.handle import Flux
from flux.job.event import event_watch_async

EXAMPLES = """\
  flux update JOBID duration=2h        two hours in all
  flux update JOBID duration=+10m      ten minutes more
  flux update JOBID name=fit queue=long
  flux update JOBID system.bank=proj   any attribute of its jobspec
"""
ALIASES = {"name": "attributes.system.job.name"}
WHOLE = ("attributes.", "resources.", "tasks.")
"""Begin keys that say where they are; others are attributes of the system."""
DURATION = "attributes.system.duration"


def parser() -> Parser:
    """The options of `flux update`."""
    made = command_parser("update", "Change what a job asks for; what may be changed, its instance decides.", EXAMPLES)
    made.add_argument("-n", "--dry-run", action="store_true", help="print what would be asked, and ask nothing")
    made.add_argument("-v", "--verbose", action="store_true", help="say what was changed")
    made.add_argument("--wait", action="store_true", help="wait until the change is in the job's eventlog")
    made.add_argument("jobid", type=jobid, metavar="JOBID", help="which job")
    made.add_argument("updates", nargs="+", metavar="KEY=VALUE", help="what it is to be; duration=+FSD and -FSD add")
    return made


def main(argv: list[str]) -> int:
    """Runs `flux update`."""
    args = parser().parse_args(argv)
    try:
        given = [_split(text) for text in args.updates]
    except Invalid as error:
        complain("flux-update", str(error))
        return 1
    with Flux() as handle:
        try:
            updates = {key: _value(handle, args, key, value) for key, value in given}
        except Invalid as error:
            complain("flux-update", str(error))
            return 1
        if args.dry_run:
            print(json.dumps(updates))
            return 0
        watch = _Watch(handle, args, updates) if args.wait else None
        handle.rpc("job-manager.update", {"id": args.jobid, "updates": updates}).get()
        if watch is not None:
            watch.until_seen()
    if args.verbose:
        complain("flux-update", f"{args.jobid.f58}: {', '.join(f'{key}={value}' for key, value in updates.items())}")
    return 0


def _split(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise Invalid(f"'{text}' is not KEY=VALUE")
    key = ALIASES.get(key, key)
    return key if key.startswith(WHOLE) else f"attributes.system.{key.removeprefix('system.')}", value


def _value(handle: Flux, args: Namespace, key: str, text: str) -> Any:
    if key == DURATION:
        return _duration(handle, args, text)
    try:
        return json.loads(text)
    except ValueError:
        return text


def _duration(handle: Flux, args: Namespace, text: str) -> float:
    try:
        seconds = parse_fsd(text.lstrip("+-") if text[:1] in "+-" else text)
    except ValueError:
        raise Invalid(f"duration: '{text}' is not a duration (like 30s, 2h, +10m)") from None
    if text[:1] in ("+", "-"):
        seconds = _changed(handle, args, text, seconds)
    return 0.0 if isinf(seconds) else seconds


def _changed(handle: Flux, args: Namespace, text: str, by: float) -> float:
    id = args.jobid
    told = handle.rpc("job-info.lookup", {"id": id, "keys": ["jobspec"], "flags": 2}).get()["jobspec"]
    now: float = json.loads(told)["attributes"]["system"].get("duration") or 0.0
    if not now:
        raise Invalid(f"duration for {id.f58} is unlimited, can't update by {text}")
    if text.startswith("+"):
        return now + by
    if now <= by:
        raise Invalid(f"current duration for {id.f58} ({fsd(now)}) cannot be reduced by {text[1:]}")
    return now - by


class _Watch:
    """Waits for the event that says so, from now on."""

    def __init__(self, handle: Flux, args: Namespace, updates: dict[str, Any]) -> None:
        self._handle, self._updates = handle, updates
        self._begun = handle.rpc("job-info.lookup", {"id": args.jobid, "keys": ["eventlog"], "flags": 0}).get()
        self._left = self._begun["eventlog"].count("\n")
        self._watch = event_watch_async(handle, args.jobid)

    def until_seen(self) -> None:
        """Returns when it is in the eventlog, or nothing follows."""
        while (event := self._watch.get_event()) is not None:
            self._left -= 1
            if self._left < 0 and event.name == "jobspec-update" and self._updates.items() <= event.context.items():
                self._watch.cancel()
                return
