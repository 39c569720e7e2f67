"""What the parsers of all commands share: their help, their complaints, and the kinds of values that options have."""

import os
from argparse import Action, ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from typing import Any, NoReturn

from flux.base.duration import parse_fsd
from flux.commands.complaint import complain

WRONG_USAGE = 2
SUFFIXES = {"k": 1 << 10, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def _width() -> int:
    try:
        return int(os.environ.get("COLUMNS") or os.get_terminal_size(1).columns) - 2
    except (OSError, ValueError):
        return 98


WIDTH = _width()


class Help(RawDescriptionHelpFormatter):
    """Help as wide as the terminal. argparse would import half a megabyte to find out how wide that is."""

    def __init__(self, prog: str, **more: Any) -> None:
        settings: dict[str, Any] = {"max_help_position": 30, "width": WIDTH}
        super().__init__(prog, **settings | more)

    def add_argument(self, action: Action) -> None:
        """Makes room for the names of commands, whose indentation argparse forgets."""
        super().add_argument(action)
        for named in self._iter_indented_subactions(action):
            width = len(self._format_action_invocation(named)) + self._current_indent
            self._action_max_length = max(self._action_max_length, width)


class Parser(ArgumentParser):
    """A parser that complains in one line."""

    def __init__(self, **options: Any) -> None:
        settings: dict[str, Any] = {"formatter_class": Help, "allow_abbrev": False}
        super().__init__(**settings | options)

    def error(self, message: str) -> NoReturn:
        """Says what is wrong with the command line, and ends the program."""
        complain("-".join(self.prog.split()[:2]), f"{message} (see `{self.prog} --help`)")
        self.exit(WRONG_USAGE)


def command_parser(name: str, description: str, examples: str) -> Parser:
    """The parser of `flux NAME`."""
    return Parser(prog=f"flux {name}", description=description, epilog=f"examples:\n{examples}")


def subcommand(commands: Any, name: str, description: str, examples: str) -> Parser:
    """The parser of one of a command's commands."""
    made: Parser = commands.add_parser(name, help=description, description=description, epilog=f"examples:\n{examples}")
    return made


def count(text: str) -> int:
    """A number that is not negative."""
    if not (text.isascii() and text.isdecimal()):
        raise ArgumentTypeError(f"'{text}' is not a number (0 or more)")
    return int(text)


def duration(text: str) -> float:
    """Seconds as RFC 23 writes them: 0.1, 100ms, 2m."""
    try:
        return parse_fsd(text)
    except ValueError:
        raise ArgumentTypeError(f"'{text}' is not a duration (like 0.5, 100ms or 2m)") from None


def size(text: str) -> int:
    """Bytes: 100, 1.5k, 2M, 1G."""
    factor = SUFFIXES.get(text[-1:], 1)
    try:
        value = float(text[:-1] if factor > 1 else text) * factor
        if value < 0:
            raise ValueError
        return int(value)
    except (ValueError, OverflowError):
        raise ArgumentTypeError(f"'{text}' is not a size (like 100, 1.5k or 2M)") from None


def flags(text: str) -> int:
    """A bit mask: 5, 0x10, 017."""
    try:
        return int(text, 8 if text.startswith("0") and text.isdecimal() else 0)
    except ValueError:
        raise ArgumentTypeError(f"'{text}' is not a number") from None
