"""From the words of `flux bulksubmit` to the inputs of each command, and their texts put in place. Pure.

`:::` begins inputs, `:::+` those that go along with the ones before, `::::` and `::::+` a file of them; commands are
made for all combinations (flux-bulksubmit(1))."""

import os
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle, product
from typing import Any, NamedTuple

from flux.base.invalid import Invalid

MARK = ":::"
LISTED = "\0list\0"
"""Between the words of one place that becomes several."""
OPEN, CLOSE = "\0<", "\0>"
"""In place of the braces of mustache tags, which are for the job's shell."""

Read = Callable[[str], list[str]]
"""The inputs of a file; - is stdin."""


class Inputs(NamedTuple):
    """The command's template, and the inputs of each command."""

    command: list[str]
    combinations: list[list[str]]


def parse(words: Sequence[str], read: Read) -> Inputs:
    """Takes the words apart. Without inputs, they are read from stdin. Raises Invalid."""
    parts: list[list[str]] = [[]]
    for word in words:
        if word in (MARK, f"{MARK}+", f"{MARK}:", f"{MARK}:+"):
            parts.append([])
        parts[-1].append(word)
    command, *sources = parts
    inputs: list[list[str]] = []
    linked: list[tuple[int, list[str]]] = []
    for at, (mark, *given) in enumerate(sources):
        if mark.startswith(f"{MARK}:"):
            if len(given) != 1:
                raise Invalid(f"one file has to follow {mark}")
            given = read(given[0])
        if mark.endswith("+"):
            linked.append((at, given))
        elif given:
            inputs.append(given)
    combinations = [list(some) for some in product(*(inputs or [read("-")]))]
    for at, given in linked:
        if not given:
            raise Invalid(f"no inputs after {MARK}+")
        for some, one in zip(combinations, cycle(given), strict=False):
            some.insert(at, one)
    return Inputs(command or ["{}"], combinations)


class Input:
    """One input, with what templates make of it: {} {.%} {./} {./%} {.//} {.NAME}."""

    def __init__(self, text: str, methods: Mapping[str, Any]) -> None:
        self._text, self._methods = text, methods

    def __str__(self) -> str:
        return self._text

    def __getattr__(self, name: str) -> Any:
        match name:
            case "%":
                return os.path.splitext(self._text)[0]
            case "/":
                return os.path.basename(self._text)
            case "//":
                return os.path.dirname(self._text)
            case "/%":
                return os.path.basename(os.path.splitext(self._text)[0])
        if name not in self._methods:
            raise Invalid(f"Unknown input string method '.{name}'")
        try:
            found = eval(self._methods[name], {}, {"x": self._text})
        except Exception as error:
            raise Invalid(f"--define: {name}: {error}") from None
        return LISTED.join(map(str, found)) if isinstance(found, list) else found


def methods(texts: Sequence[str]) -> dict[str, Any]:
    """The methods of NAME=CODE. Raises Invalid."""
    made = {}
    for text in texts:
        name, equals, code = text.partition("=")
        if not equals or not name:
            raise Invalid(f"--define: '{text}' is not NAME=CODE")
        try:
            made[name] = compile(code, name, "eval")
        except (SyntaxError, ValueError) as error:
            raise Invalid(f"--define: {name}: {error}") from None
    return made


class Filler:
    """Puts one command's inputs into templates; `number` is which command it is."""

    def __init__(self, inputs: Sequence[str], number: int, defined: Mapping[str, Any]) -> None:
        self._inputs = [Input(text, defined) for text in inputs]
        self._names = {"seq": number, "seq1": number + 1, "cc": "{cc}"}

    def __call__(self, template: str) -> str:
        """The text of a template. Raises Invalid."""
        kept = template.replace("{{", OPEN).replace("}}", CLOSE)
        try:
            text = kept.format(*self._inputs, **self._names)
        except (IndexError, KeyError, ValueError) as error:
            if isinstance(error, Invalid):
                raise
            raise Invalid(f"Invalid replacement string in '{template}'") from None
        return text.replace(OPEN, "{{").replace(CLOSE, "}}")

    def words(self, templates: Sequence[str]) -> list[str]:
        """The words of a command: a method that gives a list makes several."""
        return [word for template in templates for word in self(template).split(LISTED)]
