"""Constraints as people write them (RFC 35): `fast -broken host:a[0-3] or (big and not rank:7)`. Pure."""

import re
from collections.abc import Mapping
from typing import Any

from flux.base.invalid import Invalid

OPERATORS = {"host": "hostlist", "hosts": "hostlist", "hostlist": "hostlist", "rank": "ranks", "ranks": "ranks"}
"""The words for operators of RFC 31, besides `properties`, which a word without operator means."""
_token = re.compile(r"\s*(?:([()]|&&?|\|\|?|-(?=[\s(])|-(?=\S))|((?:[^\s()&|\"']|\"[^\"]*\"|'[^']*')+))")
AND, OR, NOT = {"&", "&&", "and"}, {"|", "||", "or"}, {"not"}
Constraint = dict[str, Any]


def parse(text: str, operators: Mapping[str, str] = OPERATORS, default: str = "properties") -> Constraint:
    """Reads a query; the constraint is that of RFC 31. Raises Invalid."""
    reader = _Reader(_tokens(text), operators, default)
    found = reader.either()
    if reader.word is not None:
        raise Invalid(f"syntax error near '{reader.word}'")
    return found


def _tokens(text: str) -> list[str]:
    found, at = [], 0
    stripped = text.rstrip()
    while at < len(stripped):
        match = _token.match(stripped, at)
        if match is None:
            raise Invalid(f"unterminated quote in '{stripped[at:].strip()[:40]}'")
        found.append(match[1] or match[2])
        at = match.end()
    return found


class _Reader:
    """Recursive descent over the tokens."""

    def __init__(self, tokens: list[str], operators: Mapping[str, str], default: str) -> None:
        self._tokens, self._at = tokens, 0
        self._operators, self._default = operators, default

    @property
    def word(self) -> str | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def take(self) -> str:
        word = self.word
        if word is None:
            raise Invalid("unexpected end of input")
        self._at += 1
        return word

    def either(self) -> Constraint:
        parts = [self.all()]
        while self.word is not None and self.word.lower() in OR:
            self.take()
            parts.append(self.all())
        return parts[0] if len(parts) == 1 else {"or": _flat("or", parts)}

    def all(self) -> Constraint:
        parts = [self.one()]
        while self.word is not None and self.word != ")" and self.word.lower() not in OR:
            if self.word.lower() in AND:
                self.take()
            parts.append(self.one())
        return parts[0] if len(parts) == 1 else {"and": _flat("and", parts)}

    def one(self) -> Constraint:
        word = self.take()
        if word.lower() in NOT:
            return {"not": [self.one()]}
        if word == "-":
            if self.word == "(":
                raise Invalid("'-(' is not allowed: say 'not ('")
            return {"not": [self.one()]}
        if word == "(":
            inner = self.either()
            if self.word != ")":
                raise Invalid("missing ')'")
            self.take()
            return inner
        if word == ")" or word.lower() in AND | OR:
            raise Invalid(f"syntax error near '{word}'")
        return self.term(word)

    def term(self, word: str) -> Constraint:
        plain = word.replace('"', "").replace("'", "")
        name, colon, value = plain.partition(":")
        if not colon or word[:1] in "\"'":
            return {self._default: [plain]}
        if not value:
            raise Invalid(f"missing operand for '{name}'")
        operator = self._operators.get(name)
        if operator is None and name != self._default:
            known = ", ".join(sorted({*self._operators, self._default}))
            raise Invalid(f"unknown operator '{name}' (known: {known})")
        return {operator or self._default: [value]}


def _flat(operator: str, parts: list[Constraint]) -> list[Constraint]:
    """`a or b or c` is one operation."""
    return [inner for part in parts for inner in (part[operator] if list(part) == [operator] else [part])]
