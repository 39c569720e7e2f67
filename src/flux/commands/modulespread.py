"""`flux module ... --rank`: the same on many brokers, by one request; what they answer alike is shown once."""

from argparse import Namespace
from errno import EINVAL, ENOENT
from typing import Any

from flux.base.gathered import Gathered, Refusal, named
from flux.base.idset import IDset
from flux.commands import moduleview, traceview
from flux.commands.complaint import complain
from flux.commands.module import debug_question, full_path, stats_question, trace_question
from flux.core.handle import Flux

PROGRAM = "flux-module"


def show_list(handle: Flux, args: Namespace) -> int:
    """Runs `flux module list`: modules that are alike are one line, with their ranks."""
    found = handle.multicast("module.list", None, args.rank)
    modules: dict[tuple[Any, ...], dict[str, Any]] = {}
    for ranks, answer in found.answers:
        for module in answer["mods"]:
            key = module["name"], module["path"], module["status"], tuple(module["services"])
            merged = modules.setdefault(key, module | {"ranks": IDset()})
            merged["ranks"].add(ranks)
            merged["idle"] = min(merged["idle"], module["idle"])
            for queue in ("sendqueue", "recvqueue"):
                merged[queue] = max(merged.get(queue, 0), module.get(queue, 0))
    rows = [module | {"ranks": str(module["ranks"])} for module in modules.values()]
    print(moduleview.as_json(rows) if args.json else moduleview.table(rows, args.long, ranks=True))
    return complained(found.errors, f"list {args.rank}")


def load(handle: Flux, args: Namespace) -> int:
    """Runs `flux module load`: remembered for those that join later."""
    if args.exec:
        raise OSError(EINVAL, f"load {args.module}: {args.module}: modules run within the broker")
    asked = {"path": full_path(args.module), "args": args.arguments, "ranks": args.rank}
    return _change(handle, f"load {args.module}", "modctl.load", asked | {"name": args.name} if args.name else asked)


def remove(handle: Flux, args: Namespace) -> int:
    """Runs `flux module remove`: remembered for those that join later."""
    asked = {"name": full_path(args.module), "ranks": args.rank, "force": args.force}
    return _change(handle, f"remove {args.module}", "modctl.remove", asked, (ENOENT,) if args.force else ())


def reload(handle: Flux, args: Namespace) -> int:
    """Runs `flux module reload`."""
    gone = remove(handle, Namespace(module=args.name or args.module, rank=args.rank, force=args.force))
    return gone or load(handle, args)


def stats(handle: Flux, args: Namespace) -> int:
    """Runs `flux module stats`."""
    topic, payload = stats_question(args)
    found = handle.multicast(topic, payload, args.rank)
    code = complained(found.errors, args.module)
    for ranks, answer in [] if args.clear else found.answers:
        try:
            shown = moduleview.value(moduleview.member(answer, args.parse), args.type, args.scale)
        except OSError as error:
            code = complained([Refusal(ranks, ENOENT, str(error.strerror))], args.module)
        else:
            print(f"{ranks}: {shown}")
    return code


def debug(handle: Flux, args: Namespace) -> int:
    """Runs `flux module debug`."""
    topic, payload = debug_question(args)
    found = handle.multicast(topic, payload, args.rank)
    for ranks, answer in found.answers:
        print(f"{ranks}: {answer['flags']:#x}")
    return complained(found.errors, args.module)


def trace(handle: Flux, args: Namespace) -> int:
    """Runs `flux module trace`: each line names its ranks."""
    view, code = traceview.View(args, args.modules), 0
    for found in handle.multicast_stream("module.trace", trace_question(args), args.rank):
        code |= complained(found.errors, "trace")
        for ranks, record in sorted(found.answers, key=lambda reply: float(reply.payload["timestamp"])):
            if not view.show(record, str(ranks)):
                return code
    return code


def complained(errors: list[Refusal], what: str, forgiven: tuple[int, ...] = ()) -> int:
    """Says which ranks refused, in a line for each reason. Returns the exit code."""
    unforgiven = [refusal for refusal in errors if refusal.errnum not in forgiven]
    for refusal in unforgiven:
        complain(PROGRAM, f"{what}: {refusal.line()}")
    return 1 if unforgiven else 0


def _change(handle: Flux, what: str, topic: str, asked: dict[str, Any], forgiven: tuple[int, ...] = ()) -> int:
    """Has rank 0 change what belongs where."""
    try:
        answer = handle.rpc(topic, asked, nodeid=0).get()
    except OSError as error:
        raise OSError(error.errno, f"{what}: {error.strerror}") from None
    absent = IDset(answer["absent"])
    if absent:
        complain(PROGRAM, f"{what}: {named(absent)}: not there now, will follow")
    found = Gathered.read({"answers": [], "errors": answer["errors"]})
    return complained(found.errors, what, forgiven)
