"""Who is gone and still named somewhere: walks what services hold. Such a trace is what makes a broker grow."""

import gc
from collections.abc import Iterable
from types import BuiltinFunctionType, ModuleType
from typing import Any

import msgspec

_LEAVES = (str, int, float, type(None), type, ModuleType, BuiltinFunctionType)


def traces(roots: Iterable[object], gone: set[bytes], beyond: tuple[type, ...]) -> list[str]:
    """Each place where a name of `gone` is held, as the chain of types that leads there.

    Objects of the types `beyond` are where the walk ends: they belong to others.
    """
    found: list[str] = []
    seen: set[int] = set()
    todo: list[tuple[object, str]] = [(root, type(root).__name__) for root in roots]
    while todo:
        held, path = todo.pop()
        for inner in _held_by(held):
            if isinstance(inner, bytes):
                if inner in gone:
                    found.append(f"{path}: {inner.decode(errors='replace')}")
            elif not isinstance(inner, _LEAVES) and not isinstance(inner, beyond) and id(inner) not in seen:
                seen.add(id(inner))
                todo.append((inner, f"{path} > {_name(inner)}"))
    return found


def _held_by(held: object) -> Iterable[Any]:
    if isinstance(held, msgspec.Struct):  # the collector does not know what is in messages
        return [getattr(held, field) for field in held.__struct_fields__]
    if callable(held) and hasattr(held, "__globals__"):
        return [held.__closure__, held.__defaults__]  # type: ignore[attr-defined]
    return gc.get_referents(held)


def _name(held: object) -> str:
    return getattr(held, "__qualname__", None) or type(held).__name__
