"""`flux`: finds the command, prepares its environment, says in one line what went wrong. Imports only what it runs."""

import gc
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

from flux.commands import environment
from flux.commands.complaint import complain, reason
from flux.commands.table import COMMANDS, module_name
from flux.runtime.wakeup import SIGINT, handle_signal, raises_interrupt

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

OPTIONS = {"h": "help", "p": "parent", "r": "root", "v": "verbose", "V": "version"}

WRONG_USAGE, INTERRUPTED, PIPE_CLOSED = 2, 130, 141
"""Exit codes: of a command line that makes no sense, after Ctrl-C, and when nobody reads our output any more."""

GARBAGE = 50_000
"""Objects to make before a collector looks for cycles: more than a command makes while it starts."""


def main(argv: list[str] | None = None) -> int:
    """The `flux` command. Returns its exit code; lets no traceback out."""
    if argv is None:
        sys.unraisablehook = unraisable
        fill_standard()
    given, words = split(sys.argv[1:] if argv is None else argv)
    program = f"flux-{words[0]}" if words else "flux"
    code = guarded(program, lambda: run(given, words), verbose="verbose" in given)
    if argv is None:
        leave(code)
    return code


def fill_standard() -> None:
    """Puts /dev/null where stdin, stdout or stderr is closed: Python has None there, which no command expects."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            null = open(os.devnull, mode)  # noqa: SIM115 - it has the number of the one that is closed, and stays
            os.set_inheritable(null.fileno(), True)
            setattr(sys, name, null)


def split(argv: list[str]) -> tuple[list[str], list[str]]:
    """Our own options, by name, as often as they are given; then the command and its arguments."""
    given: list[str] = []
    words = list(argv)
    while words and words[0].startswith("-"):
        word = words.pop(0)
        if word == "--":
            break
        given += [word[2:]] if word.startswith("--") else [OPTIONS.get(letter, letter) for letter in word[1:]]
    return given, words


def run(given: list[str], words: list[str]) -> int:
    """Runs a command, in the environment of the instance that the options say."""
    for name in given:
        if name not in OPTIONS.values():
            complain("flux", f"unrecognized option '{name}' (see `flux --help`)")
            return WRONG_USAGE
    if "version" in given:
        return builtin("version", [])
    if "help" in given:
        return builtin("help", words)
    if not words:
        return nothing_asked()
    os.environ.update(environment.settings(os.environ))
    if "root" in given or "parent" in given:
        from flux.commands import enclosing

        enclosing.enter(None if "root" in given else given.count("parent"))
    if "verbose" in given:
        print(environment.listing(os.environ), flush=True)
    name, *argv = words
    return builtin(name, argv) if name in COMMANDS else plugin(name, argv, "verbose" in given)


def builtin(name: str, argv: list[str]) -> int:
    """Runs a command of ours."""
    gc.set_threshold(GARBAGE)
    code: int = load(name).main(argv)
    return code


def load(name: str) -> Any:
    """Imports a command. Ctrl-C ends the process meanwhile: as an exception it may get lost among imports."""
    if not raises_interrupt():
        return import_module(module_name(name))
    before = handle_signal(SIGINT, lambda *_: os._exit(INTERRUPTED))
    try:
        return import_module(module_name(name))
    finally:
        handle_signal(SIGINT, before)


def nothing_asked() -> int:
    """Lists the commands: without one there is nothing to do."""
    from flux.commands.help import overview

    print(overview(), end="", file=sys.stderr)
    return 1


def plugin(name: str, argv: list[str], verbose: bool) -> int:
    """Becomes a program flux-NAME; returns only if there is none."""
    from flux.commands import plugins

    plugins.become(name, argv, verbose)
    complain("flux", f"`{name}' is not a flux command. See 'flux --help'")
    near = plugins.similar(name)
    if near:
        complain("flux", f"did you mean {' or '.join(f'`{other}`' for other in near)}?")
    return 1


def guarded(program: str, do: Callable[[], int], verbose: bool = False) -> int:
    """Runs something. What it raises becomes one line on stderr and an exit code."""
    try:
        try:
            code = do()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
            if isinstance(end.code, str):
                complain(program, end.code)
        if sys.stdout is not None:
            sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BrokenPipeError:
        code = PIPE_CLOSED
    except OSError as error:
        complain(program, reason(error))
        code = 1
    except UnicodeEncodeError as error:
        complain(program, f"{error.object!a}: not {error.encoding.upper()}")
        code = 1
    except Exception as error:
        if verbose:
            from traceback import print_exc

            print_exc()
        complain(program, f"internal error: {type(error).__name__}: {error}")
        code = 1
    settle_output()
    return code


def unraisable(what: "UnraisableHookArgs") -> None:
    """Takes what is raised where nobody can catch it, as at the end of an import. Ctrl-C counts there, too."""
    if issubclass(what.exc_type, KeyboardInterrupt):
        os._exit(INTERRUPTED)
    sys.__unraisablehook__(what)


def leave(code: int) -> NoReturn:
    """Ends the process, without the time that Python takes to free everything: a fifth of what most commands take."""
    with suppress(OSError, ValueError, AttributeError):
        sys.stderr.flush()
    os._exit(code)


def settle_output() -> None:
    """Writes what is left to write; what cannot be written is dropped here, or Python would complain as it exits."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except (OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
