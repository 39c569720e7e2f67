"""`flux kvs namespace`: stores beside the primary one."""

from argparse import Namespace

from flux.commands.kvs import called, named
from flux.commands.parser import Parser, count, subcommand
from flux.core.handle import Flux
from flux.kvs.namespaces import namespace_create_async, namespace_list_async, namespace_remove_async

NOBODY = 0xFFFFFFFF
"""Who owns a namespace that is created for nobody in particular: the instance's owner does."""


def fill(made: Parser) -> None:
    """Gives the parser of `flux kvs namespace` its commands."""
    commands = made.add_subparsers(title="commands", metavar="COMMAND", required=True)
    how = subcommand(commands, "create", "Create namespaces.", "  flux kvs namespace create -o 1000 mine\n")
    how.add_argument("-o", "--owner", type=count, default=NOBODY, metavar="UID", help="whose it is")
    how.add_argument("-r", "--rootref", default="", metavar="BLOBREF", help="the root that it begins with")
    how.add_argument("names", nargs="+", metavar="NAME")
    how.set_defaults(do=create)
    how = subcommand(commands, "remove", "Remove namespaces.", "  flux kvs namespace remove mine\n")
    how.add_argument("names", nargs="+", metavar="NAME")
    how.set_defaults(do=remove)
    how = subcommand(commands, "list", "List namespaces.", "  flux kvs namespace list\n")
    how.set_defaults(do=show)


def create(handle: Flux, args: Namespace) -> None:
    """Runs `flux kvs namespace create`."""
    for name in args.names:
        with named(name):
            namespace_create_async(handle, name, args.owner, rootref=args.rootref).get()


def remove(handle: Flux, args: Namespace) -> None:
    """Runs `flux kvs namespace remove`."""
    for name in args.names:
        with named(name):
            namespace_remove_async(handle, name).get()


def show(handle: Flux, args: Namespace) -> None:
    """Runs `flux kvs namespace list`."""
    with called("flux_rpc_get_unpack"):
        found = namespace_list_async(handle).get()["namespaces"]
    print(f"{'NAMESPACE':<41} {'OWNER':<10} FLAGS")
    for one in found:
        print(f"{one['namespace']:<36} {one['owner'] & NOBODY:>10} 0x{one['flags']:08X}")
