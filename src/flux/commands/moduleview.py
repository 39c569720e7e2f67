"""How `flux module` shows what brokers say about modules."""

from errno import ENOENT
from json import dumps
from typing import Any

STATES = "IRFX"
"""Initializing, running, finalizing, exited (RFC 5)."""
LONGEST_IDLE = 99


def table(modules: list[dict[str, Any]], long: bool, ranks: bool = False) -> str:
    """A line for each module, below a line of headings; with its ranks if they are there."""
    width = max([5, *(len(module["ranks"]) for module in modules)]) if ranks else 0
    where = f"{'Ranks':<{width}} " if ranks else ""
    lines = [_line("Module", "Idle", "S", "Sendq", "Recvq", where, "Service", "Path", long=long)]
    for module in modules:
        services = ",".join(name for name in module["services"] if name != module["name"])
        idle = module["idle"]
        lines.append(
            _line(
                module["name"][:25],
                str(idle) if idle <= LONGEST_IDLE else "idle",
                STATES[module["status"]] if 0 <= module["status"] < len(STATES) else "?",
                str(module.get("sendqueue", 0)),
                str(module.get("recvqueue", 0)),
                f"{module['ranks']:<{width}} " if ranks else "",
                services if not long or len(services) <= 8 else services[:7] + "+",
                module["path"],
                long=long,
            )
        )
    return "\n".join(lines)


def as_json(modules: list[dict[str, Any]]) -> str:
    """For programs."""
    return dumps(modules, indent=2)


def member(found: Any, name: str | None) -> Any:
    """What is at `a.b.c` in an object. OSError(ENOENT) if nothing is."""
    for word in name.split(".") if name else ():
        if not isinstance(found, dict) or word not in found:
            raise OSError(ENOENT, f"`{name}' not found in response")
        found = found[word]
    return found


def value(found: Any, kind: str | None, scale: float) -> str:
    """A number as printf(3) has it, anything else as JSON."""
    number = found if isinstance(found, int | float) and not isinstance(found, bool) else None
    if kind == "int" or (kind is None and isinstance(number, int)):
        return str(int((number or 0) * scale))
    if kind == "double" or number is not None:
        return f"{(number or 0) * scale:f}"
    return dumps(found, indent=1)


def _line(*columns: str, long: bool) -> str:
    name, idle, state, sendq, recvq, ranks, service, path = columns
    text = f"{name:<25} {idle:>4}  {state} {sendq:>5} {recvq:>5} {ranks}"
    return text + (f"{service:<8} {path}" if long else service)
