"""Which modules are wanted on which ranks. Pure."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from flux.base.idset import IDset


class Recipe(NamedTuple):
    """What a module is loaded from."""

    path: str
    args: tuple[str, ...] = ()


View = dict[str, Recipe]
"""The modules of one rank, in the order in which they are loaded."""


class Wanted:
    """Modules by name and recipe, each with its ranks, in the order in which they were first wanted."""

    def __init__(self) -> None:
        self._ranks: dict[tuple[str, Recipe], IDset] = {}

    @classmethod
    def read(cls, rows: Iterable[dict[str, Any]]) -> "Wanted":
        """From what `rows` made."""
        made = cls()
        for row in rows:
            made.add(row["name"], Recipe(row["path"], tuple(row["args"])), IDset(row["ranks"]))
        return made

    def rows(self) -> list[dict[str, Any]]:
        """As it travels."""
        return [
            {"name": name, "path": recipe.path, "args": list(recipe.args), "ranks": str(ranks)}
            for (name, recipe), ranks in self._ranks.items()
        ]

    def add(self, name: str, recipe: Recipe, ranks: IDset) -> None:
        """A module belongs on these ranks, made by this recipe and no other."""
        if ranks:
            for (other, made), held in self._ranks.items():
                if other == name and made != recipe:
                    held.subtract(ranks)
            self._ranks.setdefault((name, recipe), IDset()).add(ranks)
            self._clean()

    def remove(self, name: str, ranks: IDset) -> None:
        """It does not belong there any more."""
        for (other, _), held in self._ranks.items():
            if other == name:
                held.subtract(ranks)
        self._clean()

    def names(self, name_or_path: str) -> set[str]:
        """The names that are meant by a name, or by the path that modules are from."""
        return {name for name, recipe in self._ranks if name_or_path in (name, recipe.path)}

    def view(self, rank: int) -> View:
        """The modules of one rank."""
        return {name: recipe for (name, recipe), ranks in self._ranks.items() if rank in ranks}

    def _clean(self) -> None:
        self._ranks = {key: ranks for key, ranks in self._ranks.items() if ranks}


class Step(NamedTuple):
    """One thing to do on a rank: remove a module, or (with a recipe) load it."""

    name: str
    recipe: Recipe | None


def steps(have: View, want: View) -> list[Step]:
    """What turns one into the other: first what goes, last come first, then what comes."""
    going = [name for name in reversed(have) if want.get(name) != have[name]]
    coming = [Step(name, recipe) for name, recipe in want.items() if have.get(name) != recipe]
    return [*(Step(name, None) for name in going), *coming]
