"""`flux stream`: streams in the key-value store."""

import os
from argparse import REMAINDER, ArgumentTypeError, Namespace
from collections.abc import Callable
from errno import EINVAL
from typing import NamedTuple

from flux.commands.complaint import about, complain
from flux.commands.parser import Parser, command_parser, count
from flux.core.handle import Flux

EXAMPLES = """\
  make 2>&1 | flux stream put build        write a stream
  flux stream get -f build                 read it while it is written, on any node, to its end
  flux stream run sim -- ./a.out           a program whose stdio are streams: sim.input, sim.output
  flux stream attach sim                   see its output, and type its input; as many times as you like
  flux run --stream wave -n 8 ./a.out      keep the output of a parallel program, too
  flux stream get -l wave.output           each line with its task's number
  flux stream COMMAND --help               the options of one command

A stream is a value in the key-value store, at the key NAME: a log of events, as job output is (RFC 24). Data of any
kind is as it was. A stream ends when its writer does; when there are several (--append), with the last one. A writer
that dies ends it, too, and readers are told.
"""
CHUNK = 1 << 16


class Command(NamedTuple):
    """One of the commands: what it does, its help, its options."""

    do: Callable[[Flux, Namespace], int | None]
    summary: str
    examples: str
    options: Callable[[Parser], None]

    def fill(self, made: Parser) -> Parser:
        """Gives a parser the options."""
        made.description, made.epilog = f"{self.summary}.", f"examples:\n{self.examples}"
        made.add_argument("-N", "--namespace", metavar="NAME", help="another namespace than FLUX_KVS_NAMESPACE")
        self.options(made)
        made.set_defaults(do=self.do)
        return made


def parser() -> Parser:
    """The options of `flux stream`."""
    made = command_parser("stream", "Write and read streams in the key-value store.", EXAMPLES)
    commands = made.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, command in COMMANDS.items():
        command.fill(commands.add_parser(name, help=command.summary))
    return made


def main(argv: list[str]) -> int:
    """Runs `flux stream`."""
    if argv and argv[0] in COMMANDS:
        args = COMMANDS[argv[0]].fill(Parser(prog=f"flux stream {argv[0]}")).parse_args(argv[1:])
    else:
        args = parser().parse_args(argv)
    with Flux() as handle:
        return args.do(handle, args) or 0


# -- put, close --------------------------------------------------------------------------------------------------------


def _put_options(made: Parser) -> None:
    how = made.add_mutually_exclusive_group()
    how.add_argument("-a", "--append", action="store_true", help="write to a stream that may be there, open")
    how.add_argument("-t", "--truncate", action="store_true", help="begin a stream anew that may be there")
    made.add_argument("-k", "--keep-open", action="store_true", help="do not end it: another --append goes on")
    made.add_argument(
        "-w", "--writers", type=_some, metavar="N", help="it ends when N have written; each of them says so"
    )
    made.add_argument("-s", "--stream", default="stdout", metavar="PART", help="another part than stdout: stderr")
    made.add_argument("-r", "--rank", type=count, default=0, metavar="N", help="as the task of that number (0)")
    made.add_argument("name", metavar="NAME")
    made.add_argument("file", nargs="?", default="-", metavar="FILE", help="what to write (-, standard input)")


def put(handle: Flux, args: Namespace) -> None:
    """Runs `flux stream put`."""
    from flux.stream.writer import Writer

    source = _source(args.file)
    mode = "w" if args.truncate else "a" if args.append or args.writers else "x"
    writer = Writer(
        handle,
        args.name,
        mode,
        namespace=args.namespace,
        streams=(args.stream,),
        ranks=args.rank,
        writers=args.writers or 1,
    )
    with writer:
        while data := os.read(source, CHUNK):
            writer.write(data)
        writer.close(end=not args.keep_open)


def _source(path: str) -> int:
    if path == "-":
        return 0
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise OSError(error.errno, f"{path}: {error.strerror}") from None


def _close_options(made: Parser) -> None:
    made.add_argument("-s", "--stream", default="stdout", metavar="PART", help="another part than stdout: stdin")
    made.add_argument("names", nargs="+", metavar="NAME")


def close(handle: Flux, args: Namespace) -> None:
    """Runs `flux stream close`."""
    from flux.kvs.reading import get_raw
    from flux.stream.writer import Writer

    for name in args.names:
        with about(name):
            get_raw(handle, name, args.namespace)  # one that is not there is not to be made
            Writer(handle, name, "a", namespace=args.namespace, streams=(args.stream,)).close()


# -- get ---------------------------------------------------------------------------------------------------------------


def _get_options(made: Parser) -> None:
    made.add_argument("-f", "--follow", action="store_true", help="go on until the stream has ended")
    made.add_argument("-t", "--tail", action="store_const", const=10, help="of what is there only the last 10 lines")
    made.add_argument(
        "-n",
        "--lines",
        dest="tail",
        type=count,
        metavar="N",
        help="only the last N lines; with --follow and 0, what comes from now on",
    )
    _view_options(made)
    made.add_argument("-s", "--stream", metavar="PART", help="only this part (stdout, stderr), to standard output")
    made.add_argument("name", metavar="NAME")


def _view_options(made: Parser) -> None:
    made.add_argument("-l", "--label", action="store_true", help="put its task's number before each line")
    made.add_argument("-W", "--waitcreate", action="store_true", help="wait for a stream that is not there yet")


def get(handle: Flux, args: Namespace) -> int:
    """Runs `flux stream get`."""
    try:
        return _get(handle, args, args.name)
    except IsADirectoryError:
        from flux.stream.places import OUTPUT

        return _get(handle, args, args.name + OUTPUT)


def _get(handle: Flux, args: Namespace, name: str) -> int:
    from flux.commands.streamview import View
    from flux.stream.reader import Reader

    view = View(args.label, args.stream)
    reader = Reader(handle, name, namespace=args.namespace, follow=args.follow, wait=args.waitcreate, tail=args.tail)
    with about(name):
        for said in reader:
            view.show(said)
    return _remarked(name, reader.remarks)


def _remarked(name: str, remarks: list[str]) -> int:
    for remark in remarks:
        complain("flux-stream", f"{name}: {remark}")
    return 1 if remarks else 0


# -- run, attach -------------------------------------------------------------------------------------------------------


def _run_options(made: Parser) -> None:
    made.usage = "flux stream run [OPTIONS] NAME -- COMMAND [ARGUMENT ...]"
    made.add_argument("-t", "--truncate", action="store_true", help="begin streams anew that may be there")
    feed = made.add_mutually_exclusive_group()
    feed.add_argument("-i", "--input", metavar="FILE", help="its input, to the end of FILE (-, standard input)")
    feed.add_argument("-n", "--no-input", action="store_true", help="the program has no input")
    made.add_argument("-r", "--rank", type=count, metavar="N", help="run it on another rank than this broker's")
    made.add_argument("-C", "--cwd", metavar="DIR", help="directory to run in (this one)")
    made.add_argument("name", metavar="NAME")
    made.add_argument("command", nargs=REMAINDER, metavar="COMMAND ...", help="what to run")


def run(handle: Flux, args: Namespace) -> int:
    """Runs `flux stream run`."""
    from flux.core.remote import command_create
    from flux.stream.program import Program, exit_code

    words = args.command[1:] if args.command[:1] == ["--"] else args.command
    if not words or words[0].startswith("-"):
        raise OSError(EINVAL, "run: a command is required" if not words else f"run: {words[0]}: options go before NAME")
    command = command_create(words, cwd=args.cwd and os.path.abspath(args.cwd))
    rank = handle.get_rank() if args.rank is None else args.rank
    source = None if args.input is None else _source(args.input)
    mode = "w" if args.truncate else "x"
    program = Program(handle, args.name, mode, args.namespace, feed=not args.no_input, source=source)
    remote = program.run(command, rank)
    if remote.error is not None:
        complain("flux-stream", f"{words[0]}: {remote.error.strerror}")
    return exit_code(remote)


def _attach_options(made: Parser) -> None:
    _view_options(made)
    made.add_argument("-r", "--read-only", action="store_true", help="do not give it our standard input")
    made.add_argument("name", metavar="NAME")


def attach(handle: Flux, args: Namespace) -> int:
    """Runs `flux stream attach`."""
    from flux.commands.streamview import View
    from flux.stream.attachment import Attachment

    with about(args.name):
        attachment = Attachment(handle, args.name, args.namespace, View(args.label).show, wait=args.waitcreate)
        code = attachment.run(feed=not args.read_only)
    return _remarked(args.name, attachment.remarks) or code


# -- ls, stat, rm ------------------------------------------------------------------------------------------------------


def _ls_options(made: Parser) -> None:
    made.add_argument("-R", "--recursive", action="store_true", help="and what is in directories below")
    made.add_argument("-l", "--long", action="store_true", help="with state, writers, bytes and time of the last data")
    made.add_argument("directory", nargs="?", default=".", metavar="DIR", help="a directory of the store (.)")


def ls(handle: Flux, args: Namespace) -> None:
    """Runs `flux stream ls`."""
    from flux.commands.streamview import row
    from flux.stream.listing import listed, stat

    with about(args.directory):
        for name in listed(handle, args.directory, args.namespace, args.recursive):
            print(row(name, stat(handle, name, args.namespace)) if args.long else name)


def _names(made: Parser) -> None:
    made.add_argument("names", nargs="+", metavar="NAME")


def stat(handle: Flux, args: Namespace) -> None:
    """Runs `flux stream stat`."""
    from flux.commands.streamview import described
    from flux.stream.listing import stat as look

    for name in args.names:
        with about(name):
            print(described(name, look(handle, name, args.namespace)), end="")


def rm(handle: Flux, args: Namespace) -> None:
    """Runs `flux stream rm`."""
    from flux.stream.listing import remove

    for name in args.names:
        with about(name):
            remove(handle, name, args.namespace)


def _some(text: str) -> int:
    number = count(text)
    if not number:
        raise ArgumentTypeError("0 is not a number from 1 on")
    return number


COMMANDS = {
    "put": Command(
        put,
        "Write a stream",
        "  make 2>&1 | flux stream put build\n  flux stream put -a log note.txt      add to what others write\n",
        _put_options,
    ),
    "get": Command(
        get,
        "Read a stream",
        "  flux stream get build                what is there\n"
        "  flux stream get -f build             and what will be written, to its end\n"
        "  flux stream get -f --tail build      the last lines, and what will be written\n",
        _get_options,
    ),
    "run": Command(
        run,
        "Run a program whose stdio are streams: NAME.input, NAME.output",
        "  flux stream run calc -- bc -l               input comes from whoever attaches or writes to calc.input:\n"
        "  echo 2^64 | flux stream put -a -s stdin calc.input\n"
        "  flux stream run -i data sum -- sort -n      input comes from a file\n",
        _run_options,
    ),
    "attach": Command(
        attach,
        "See the output of such a program, type its input, and return its exit code",
        "  flux stream attach calc\n  flux stream attach --read-only calc\n",
        _attach_options,
    ),
    "close": Command(close, "End a stream that was left open", "  flux stream close log\n", _close_options),
    "ls": Command(ls, "List streams", "  flux stream ls -lR\n", _ls_options),
    "stat": Command(stat, "Show what is known of a stream", "  flux stream stat build\n", _names),
    "rm": Command(rm, "Remove streams", "  flux stream rm build\n", _names),
}
