"""`flux exec`: run a command on the brokers' own nodes, beside any jobs."""

import os
from argparse import REMAINDER, SUPPRESS, Namespace
from errno import EINVAL, ENOSYS
from typing import TYPE_CHECKING, Any

from flux.base.idset import IDset
from flux.commands.complaint import complain
from flux.commands.parser import Parser, command_parser
from flux.core.remote import WAITABLE, apart, command_create

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flux.base.gathered import Gathered
    from flux.core.handle import Flux

EX_NOHOST = 68

EXAMPLES = """\
  flux exec hostname                 on every broker's node
  flux exec -r 0,4-7 -l uptime       on some ranks, each line with the rank that says it
  flux exec -n -x 0 sh -c 'rm -f /tmp/scratch.*'
  echo hello | flux exec cat         what is typed goes to all

The exit code is the largest one: of the commands (128 + signal for those that a signal ended), 127 for a command
that is not there, 126 for one that may not be run, 68 for a rank that cannot be reached.
"""


def parser() -> Parser:
    """The options of `flux exec`."""
    made = command_parser("exec", "Run a command on the nodes of the instance's brokers, and wait for it.", EXAMPLES)
    made.usage = "flux exec [OPTIONS] COMMAND [ARGUMENT ...]"
    add = made.add_argument
    add("-r", "--rank", metavar="IDSET", default="all", help="run it on these ranks only (default: all)")
    add("-x", "--exclude", metavar="IDSET", default="", help="do not run it on these ranks")
    add("-d", "--dir", metavar="DIR", help="run it in DIR, not in the current directory (`none`: where the broker is)")
    add("-l", "--label-io", action="store_true", help="begin each line of output with the rank that says it")
    add("-n", "--noinput", action="store_true", help="give it no input")
    add("-q", "--quiet", action="store_true", help="do not say which ranks failed")
    add("-v", "--verbose", action="store_true", help="say what is done")
    add("--bg", action="store_true", help="let it run in the background: print its ranks and pids and do not wait")
    add("--waitable", action="store_true", help="with --bg, keep its exit status until somebody waits for it")
    add("--label", metavar="LABEL", help="a name to find it by, besides its pid")
    add("--attach", action="store_true", help="listen to what runs in the background; COMMAND is its pid or label")
    add("--service", metavar="NAME", default="rexec", help=SUPPRESS)
    add("--setopt", metavar="NAME=VALUE", action="append", default=[], help=SUPPRESS)
    add("command", nargs=REMAINDER, metavar="COMMAND ...", help="what to run")
    return made


def main(argv: list[str]) -> int:
    """Runs `flux exec`."""
    made = parser()
    args = made.parse_args(argv)
    args.command = args.command[1:] if args.command[:1] == ["--"] else args.command
    _check(made, args)
    from flux.core.handle import Flux

    with Flux() as handle:
        size = int(handle.attr_get("size"))
        targets = _targets(args, size)
        if targets.last() >= size:
            complain("flux-exec", f"ranks {args.rank}: this instance has ranks 0-{size - 1} only")
            return EX_NOHOST
        return _background(handle, args, targets) if args.bg else _foreground(handle, args, targets)


def _check(made: Parser, args: Namespace) -> None:
    if not args.command:
        made.error("a pid or label is required" if args.attach else "a command is required")
    if args.attach and len(args.command) > 1:
        made.error("--attach takes one pid or label")
    if args.attach and (args.bg or args.waitable):
        made.error("--attach does not go with --bg or --waitable")
    if args.waitable and not args.bg:
        made.error("--waitable can only be used with --bg")
    if args.label == "":
        made.error("--label must not be empty")


def _targets(args: Namespace, size: int) -> IDset:
    targets = IDset(range(size)) if args.rank == "all" else _idset("--rank", args.rank)
    targets = targets.difference(_idset("--exclude", args.exclude))
    if not targets:
        raise OSError(EINVAL, "no ranks are left to run on")
    return targets


def _idset(option: str, text: str) -> IDset:
    try:
        return IDset(text)
    except ValueError as error:
        raise OSError(EINVAL, f"{option}: {error}") from None


def _foreground(handle: "Flux", args: Namespace, targets: IDset) -> int:
    """Attends to it until it has ended everywhere."""
    from flux.core.crowd import Crowd, Manner

    manner = Manner(label=args.label_io, feed=not args.noinput, verbose=args.verbose, quiet=args.quiet)
    crowd = Crowd(handle, targets, manner, args.service)
    if not args.attach:
        return crowd.run(_command(args))
    pid, label = _pid_or_label(args.command[0])
    if label is None and len(targets) > 1:
        raise OSError(EINVAL, "--attach by pid requires a single target rank (use --rank)")
    return crowd.attach(pid, label)


def _background(handle: "Flux", args: Namespace, targets: IDset) -> int:
    """Starts it everywhere, and prints where it runs."""
    command = _command(args)
    payload = {"cmd": command | {"env": apart(command["env"])}, "flags": WAITABLE if args.waitable else 0}
    code = 0
    for rank, answer in _answers(handle, f"{args.service}.exec", payload, targets):
        if isinstance(answer, OSError):
            complain("flux-exec", f"Error: rank {rank}: {args.command[0]}: {answer.strerror}")
            code = 1
        else:
            print(f"{rank}: {answer['pid']}", flush=True)
    return code


def _answers(handle: "Flux", topic: str, payload: Any, targets: IDset) -> "Iterator[tuple[int, Any]]":
    """What each rank answers, or its error: by one request where the broker can, else by as many as there are ranks."""
    try:
        found = handle.multicast(topic, payload, targets)
    except OSError as error:
        if error.errno != ENOSYS:
            raise
        for rank, rpc in [(rank, handle.rpc(topic, payload, rank)) for rank in targets]:
            try:
                answer = rpc.get()
            except OSError as refusal:
                answer = refusal
            yield rank, answer
    else:
        yield from sorted(_by_rank(found))


def _by_rank(found: "Gathered") -> "Iterator[tuple[int, Any]]":
    yield from found.by_rank().items()
    for ranks, errnum, text in found.errors:
        yield from ((rank, OSError(errnum, text)) for rank in ranks)


def _command(args: Namespace) -> dict[str, Any]:
    """The command object."""
    opts = {}
    for text in args.setopt:
        name, equals, value = text.partition("=")
        if not equals:
            raise OSError(EINVAL, f"--setopt: {text}: not NAME=VALUE")
        opts[name] = value
    env = {name: value for name, value in os.environ.items() if name != "FLUX_PROXY_REMOTE"}
    env.setdefault("DBUS_SESSION_BUS_ADDRESS", f"unix:path=/run/user/{os.getuid()}/bus")
    return command_create(args.command, args.label, "" if args.dir == "none" else args.dir, env, opts)


def _pid_or_label(text: str) -> tuple[int, str | None]:
    if text.isascii() and text.isdecimal() and 0 < int(text) < 1 << 31:
        return int(text), None
    return -1, text
