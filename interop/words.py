"""How cases are written."""

COMES = "f=$(mktemp); {} >$f & until [ -s $f ]; do {}; done; kill $!; wait $! 2>/dev/null; head -n 1 $f; rm $f"


class Reworded(str):
    """A case whose errors need not have the same words: ours name the thing themselves, or say more."""


class Differing(str):
    """A case in which ours is meant to differ, and why. It fails when it differs no more."""

    why: str


def differing(why: str, case: str) -> Differing:
    """A case in which ours is meant to differ."""
    made = Differing(case)
    made.why = why
    return made


def shows(command: str, *names: str) -> str:
    """A case for output that differs by nature: that these words are in what `flux COMMAND` prints."""
    return f"for n in {' '.join(names)}; do flux {command} 2>&1 | grep -o -w -- $n | head -n 1; done"


def stream(reads: str, happens: str, see: str = "cat") -> str:
    """A case for what never ends: the first line that `reads` says, through `see`, while `happens` again and again."""
    return f"{{ {COMES.format(reads, happens)}; }} | {see}"
