"""`flux keygen`: makes the certificate that the brokers of a configured session share."""

from argparse import ArgumentTypeError

from flux.commands.complaint import complain
from flux.commands.parser import Parser, command_parser

EXAMPLES = """\
  flux keygen /etc/flux/system/curve.cert
  flux keygen --name=tuolumne --meta=purpose=test,owner=me curve.cert

Copy the file to every node; `bootstrap.curve_cert` in the configuration names it. Nobody else may read it.
"""


def parser() -> Parser:
    """The options of `flux keygen`."""
    made = command_parser("keygen", "Make a CURVE certificate, by which brokers know each other.", EXAMPLES)
    made.add_argument("-n", "--name", metavar="NAME", help="the certificate's name (else that of this host)")
    made.add_argument(
        "--meta", action="append", type=_notes, default=[], metavar="KEY=VALUE,...", help="note this in it as well"
    )
    made.add_argument("path", nargs="?", metavar="PATH", help="where to write it")
    return made


def main(argv: list[str]) -> int:
    """Runs `flux keygen`."""
    args = parser().parse_args(argv)
    from flux.base.certificate import check_note
    from flux.runtime.certificate import fresh_certificate, save

    notes = {key: value for given in args.meta for key, value in given.items()}
    notes |= {"name": args.name} if args.name else {}
    for key, value in notes.items():
        check_note(key, value)
    if not args.path:
        complain("flux-keygen", "WARNING: add PATH argument to save generated certificate")
        return 0
    save(fresh_certificate(notes), args.path)
    return 0


def _notes(text: str) -> dict[str, str]:
    pairs = [word.partition("=") for word in text.split(",")]
    if not all(key for key, _, _ in pairs):
        raise ArgumentTypeError(f"'{text}' is not KEY=VALUE,...")
    return {key: value for key, _, value in pairs}
