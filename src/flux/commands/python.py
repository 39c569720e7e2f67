"""`flux python`: the Python that Flux runs in, where `import flux` works."""

import os
import sys
from argparse import REMAINDER

import flux
from flux.commands.parser import Parser, command_parser

EXAMPLES = """\
  flux python -c 'import flux; print(flux.Flux().attr_get("size"))'
  flux python script.py ARGUMENTS
  flux python --get-path         the directory that has the package, for PYTHONPATH
  flux python -h                 the options of Python itself
"""


def parser() -> Parser:
    """The options of `flux python`. All but these are Python's."""
    made = command_parser("python", "Run the Python that Flux runs in; all other arguments are Python's.", EXAMPLES)
    made.add_argument("--get-path", action="store_true", help="show the directory that has the package")
    made.add_argument("--list-versions", action="store_true", help="show which versions of Python there are")
    made.add_argument("arguments", nargs=REMAINDER, metavar="ARGUMENTS ...", help="Python's arguments")
    return made


def main(argv: list[str]) -> int:
    """Runs `flux python`."""
    if argv[:1] in (["--help"], ["--get-path"], ["--list-versions"]):
        args = parser().parse_args(argv[:1])
        print(_package_directory() if args.get_path else f"python{sys.version_info.major}.{sys.version_info.minor}")
        return 0
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, *argv])


def _package_directory() -> str:
    return os.path.dirname(os.path.dirname(os.path.abspath(flux.__file__)))
