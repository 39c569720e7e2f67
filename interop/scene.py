"""Cases that are tried one after the other in one session, and what that session is like."""

from typing import NamedTuple


class Scene(NamedTuple):
    """Cases and their session."""

    cases: tuple[str, ...]
    size: int = 4
    options: tuple[str, ...] = ()
    """Of `flux start`."""
    hurt: bool = False
    """Whether the session need not end well, because the cases do it harm."""

    def having(self, words: list[str]) -> "Scene":
        """The same with those cases alone that have one of these words; with all, without words."""
        return self._replace(
            cases=tuple(case for case in self.cases if not words or any(word in case for word in words))
        )
