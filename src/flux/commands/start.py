"""`flux start`: begin a session, here or as one broker of many that somebody else started."""

import os
from argparse import REMAINDER, ArgumentTypeError, Namespace
from errno import EINVAL

from flux.base.hostlist import Hostlist
from flux.broker.options import BrokerOptions
from flux.commands import broker
from flux.commands.complaint import complain
from flux.commands.parser import Parser, command_parser
from flux.runtime import directory

EXAMPLES = """\
  flux start                        a shell in a session of one broker
  flux start --size 8               a shell in a session of eight brokers on this host
  flux start -s 4 flux run -n 4 hostname
  flux start -c ./conf.d --conf heartbeat.period=5s
                                    as the files of a directory say, but for the heartbeat
  flux start --statedir ./state     go on with the key-value store that was left in ./state
  mpiexec -n 4 flux start ./script  one session, a broker on each of mpiexec's processes

The exit code is that of the command, or 128 and the signal that ended it. SIGTERM and SIGHUP are passed on to the
command; it is killed by another one after a second or later.
"""

BROKER_OPTS = ("-o", "--broker-opts")
VALUED = (
    "-s",
    "--size",
    "--test-size",
    "-S",
    "--setattr",
    "-c",
    "--config-path",
    "--conf",
    "--test-hosts",
    "--statedir",
)
"""Options whose value is the next word."""


def parser() -> Parser:
    """The options of `flux start`."""
    made = command_parser("start", "Start a session and run a command, or a shell, in it; it ends with that.", EXAMPLES)
    made.usage = "flux start [OPTIONS] [COMMAND [ARGUMENT ...]]"
    broker.add_options(made)
    made.add_argument(
        *BROKER_OPTS, action="append", default=[], metavar="OPTS", help="options for the brokers, as -o -v,-Sa=b"
    )
    made.add_argument(
        "-s",
        "--size",
        "--test-size",
        type=_size,
        metavar="N",
        help="start N brokers on this host (else: whatever PMI says, or one)",
    )
    made.add_argument(
        "--test-hosts", default="", metavar="HOSTS", help="let the brokers take these for the names of their hosts"
    )
    made.add_argument(
        "--statedir", default="", metavar="DIR", help="keep the key-value store in DIR, also for the next session"
    )
    made.add_argument("command", nargs=REMAINDER, metavar="COMMAND", help="what to run instead of a shell")
    return made


def main(argv: list[str]) -> int:
    """Runs `flux start`."""
    args = parser().parse_args(_joined(argv))
    _split_broker_opts(args)
    if args.statedir:
        args.setattr.append(("statedir", args.statedir))
    options = broker.options(args)
    directory.current()  # without one so much goes wrong later that it is better said now
    if args.size is None and {"PMI_FD", "PMI_PORT"} & os.environ.keys():
        from flux.broker import process

        return process.main(options)
    hosts = _test_hosts(args)
    return _session(args.size or 1, _configured(options, args.size or 1, hosts), hosts)


def _test_hosts(args: Namespace) -> list[str]:
    """The names that the brokers take their hosts to have."""
    hosts = list(Hostlist(args.test_hosts))
    if hosts and len(hosts) != (args.size or 1):
        raise OSError(EINVAL, f"--test-hosts: {len(hosts)} hosts for {args.size or 1} brokers")
    return hosts


def _configured(options: BrokerOptions, size: int, hosts: list[str]) -> BrokerOptions:
    """Reads the configuration once for all brokers, and refuses what none of them could do."""
    from flux.broker import boot, tuning
    from flux.broker.defaults import check
    from flux.overlay.topology import topology
    from flux.runtime import launch, statedir

    launch.check(size)
    options = options.located()
    config = options.read()
    for name, value in options.attributes.items():
        check(name, value, size)
    if options.attributes.get("statedir"):
        statedir.check(options.attributes["statedir"])
    by_config = config.has("bootstrap") and options.attributes.get("broker.boot-method", "config") == "config"
    if by_config and size > 1 and not hosts:
        reason = "says which host is which broker: use --test-hosts, or -S broker.boot-method=simple"
        raise config.complaint(("bootstrap",), reason)
    shape = tuning.shape(config, options.attributes, by_config=by_config)
    boot.check_descriptors(0, tuning.tree_by_config(config, shape) if by_config else topology(shape, size))
    return options._replace(config=config)


def _session(size: int, options: BrokerOptions, hosts: list[str]) -> int:
    """Forks the brokers, with a run directory that they share and that is gone afterwards."""
    from flux.broker import boot, process
    from flux.runtime import launch, rundir

    _warm()
    given = options.attributes.get("rundir", "")
    where = os.path.abspath(given) if given else rundir.make()
    ours = not given or rundir.claim(where)
    rundir.release(where, 0, rundir.hold(where, 0))  # who has it is said once, not by every broker
    cleanup = options.attributes.get("rundir-cleanup", str(int(ours)))
    shared = options._replace(attributes=options.attributes | {"rundir": where, "rundir-cleanup": cleanup})

    def of(rank: int) -> BrokerOptions:
        attributes = shared.attributes | ({"hostname": hosts[rank]} if hosts else {})
        return shared._replace(attributes=attributes, command=() if rank else shared.command)

    try:
        return launch.launch(
            size,
            lambda pmi, keeper: process.main(of(pmi.rank), pmi, keeper),
            lambda text: complain("flux-start", text),
            pairs=boot.foretold(size, shared.attributes),
            verbose=options.verbose,
        )
    finally:
        if cleanup == "1":
            rundir.remove(where)


def _warm() -> None:
    """Imports what a broker will, once for all of them."""
    from contextlib import suppress
    from importlib import import_module

    from flux.base.rc1 import MODULES
    from flux.broker.catalogue import find
    from flux.broker.runlevels import BUILTINS
    from flux.runtime import modprobe

    modprobe.table()  # what is wrong with it is said once, not by every broker
    for name in (*BUILTINS, *(entry.path for entry in MODULES)):
        find(name)
    for name in ("hashlib", "uvloop"):  # hashlib waits elsewhere for the first blob: OpenSSL's pages, once per broker
        with suppress(ImportError):
            import_module(name)


def _joined(argv: list[str]) -> list[str]:
    """Joins -o with its value, which may begin with a dash; argparse would take that for another option."""
    words = list(argv)
    at = 0
    while at < len(words) - 1 and words[at].startswith("-") and words[at] != "--":
        if words[at] in BROKER_OPTS:
            words[at : at + 2] = [f"--broker-opts={words[at + 1]}"]
        at += 2 if words[at] in VALUED else 1
    return words


def _split_broker_opts(args: Namespace) -> None:
    """Reads what -o has for the brokers as if it had been given to us."""
    words = [word for text in args.broker_opts for word in text.split(",") if word]
    made = Parser(prog="flux start", add_help=False)
    broker.add_options(made)
    more = made.parse_args(words)
    args.setattr += more.setattr
    args.config_path = more.config_path or args.config_path
    args.conf += more.conf
    args.verbose += more.verbose


def _size(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"'{text}' is not a number of brokers (1 or more)")
    return int(text)
