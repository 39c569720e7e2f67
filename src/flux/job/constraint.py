"""Constraints as people write them (RFC 35): `fast -broken host:a[0-3] or (big and not rank:7)`. Pure.

A subclass of `ConstraintParser` says which operators it has and what they mean.
"""

import re
from collections.abc import Iterator, Mapping, Set
from typing import Any, ClassVar

Constraint = dict[str, Any]
AND, OR, NOT = {"&", "&&", "and"}, {"|", "||", "or"}, {"not"}
_space = re.compile(r"\s*")
_sign = re.compile(r"&&?|\|\|?|[()]|-")
_plain = re.compile(r"[^()|&\s\"']+")
_quoted = re.compile(r"'([^']+)'|\"([^\"]+)\"")
_strange = re.compile(r"[^\w.+@-]")


class ConstraintSyntaxError(Exception):
    """A query that makes no sense; the text says why."""


class ConstraintParser:
    """Reads queries. Words are joined by `and` (&, &&, or nothing), `or` (|, ||), `not` (- before one word), ( and ).

    Each word is OPERATOR:OPERAND, or an operand alone, if there is an operator for those.
    """

    operator_map: ClassVar[Mapping[str | None, str]] = {}
    """Operators by their short names; that of None is for operands without one."""
    split_values: ClassVar[Mapping[str, str]] = {}
    """What the operands of an operator are divided at."""
    combined_terms: ClassVar[Set[str]] = frozenset()
    """Operators whose operands are put together when they are joined by `and`."""

    def parse(self, query: str) -> Constraint:
        """The constraint (RFC 31) of a query. ConstraintSyntaxError says what is wrong with it."""
        reader = _Reader(self, query)
        found = reader.either()
        if reader.word is not None:
            raise ConstraintSyntaxError(f"Invalid token '{reader.word[0]}' in '{query}'")
        return found

    def term(self, word: str) -> Constraint:
        """The constraint of one word."""
        name, colon, operand = word.partition(":")
        if not colon:
            if None not in self.operator_map:
                raise ConstraintSyntaxError(f'Missing required operator in "{word}"')
            name, operand = self.operator_map[None], word
        operator = self.operator_map.get(name, name)
        strange = _strange.search(operator)
        if strange is not None:
            raise ConstraintSyntaxError(f"invalid character '{strange[0]}' in operator '{operator}:'")
        return {operator: operand.split(self.split_values[operator]) if operator in self.split_values else [operand]}

    def both(self, one: Constraint, other: Constraint) -> Constraint:
        """The constraint that both hold."""
        parts = [*one["and"], other] if "and" in one else [one, other]
        terms: list[Constraint] = []
        places: dict[str, list[Any]] = {}
        for part in parts:
            (operator,) = part
            if operator in places:
                places[operator] += part[operator]
                continue
            if operator in self.combined_terms:
                places[operator] = part[operator]
            terms.append(part)
        return terms[0] if len(terms) == 1 else {"and": terms}


class MiniConstraintParser(ConstraintParser):
    """The queries of `flux run --requires`: properties of nodes, hosts, ranks."""

    operator_map: ClassVar = {None: "properties", "host": "hostlist", "hosts": "hostlist", "rank": "ranks"}
    split_values: ClassVar = {"properties": ","}
    combined_terms: ClassVar = frozenset({"properties"})


class _Reader:
    """Recursive descent over the words of one query. A word is (text, whether it is a sign)."""

    def __init__(self, parser: ConstraintParser, query: str) -> None:
        self._parser = parser
        self._words = _words(query)
        self._query = query
        self.word: tuple[str, bool] | None = None
        self.next()

    def next(self) -> None:
        self.word = next(self._words, None)

    def at(self, words: Set[str]) -> bool:
        return self.word is not None and self.word[1] and self.word[0] in words

    def either(self) -> Constraint:
        found = self.all()
        while self.at(OR):
            self.next()
            other = self.all()
            found = {"or": [*found["or"], other]} if "or" in found else {"or": [found, other]}
        return found

    def all(self) -> Constraint:
        found = self.one()
        while self.word is not None and not self.at(OR | {")"}):
            if self.at(AND):
                self.next()
            found = self._parser.both(found, self.one())
        return found

    def one(self) -> Constraint:
        if self.word is None:
            raise ConstraintSyntaxError(f"Unexpected end of input in '{self._query}'")
        text, sign = self.word
        self.next()
        if not sign:
            return self._parser.term(text)
        if text in NOT:
            return {"not": [self.one()]}
        if text == "-" and self.word is not None and not self.word[1]:
            return {"not": [self.one()]}
        if text == "(":
            found = self.either()
            if not self.at({")"}):
                raise ConstraintSyntaxError(f"Unclosed parenthesis in '{self._query}'")
            self.next()
            return found
        raise ConstraintSyntaxError(f"Invalid token '{text}' in '{self._query}'")


def _words(query: str) -> Iterator[tuple[str, bool]]:
    at, begun = 0, ""
    while True:
        match = _space.match(query, at)
        at = match.end() if match is not None else at
        if at == len(query):
            if begun:
                raise ConstraintSyntaxError(f"Missing argument to token '{begun}'")
            return
        if (found := _quoted.match(query, at)) is not None:
            yield begun + (found[1] or found[2]), False
            begun = ""
        elif query[at] in "'\"":
            raise ConstraintSyntaxError(f"Unclosed quote {query[at]} at position {at}")
        elif begun and _sign.match(query, at) is not None:
            raise ConstraintSyntaxError(f"Missing argument to token '{begun}'")
        elif (found := _sign.match(query, at)) is not None:
            yield found[0], True
        else:
            found = _plain.match(query, at)
            assert found is not None  # all else is a sign, a quote or space
            text = begun + found[0]
            begun = text if text.endswith(":") else ""
            if not begun:
                word = text.lower() in AND | OR | NOT
                yield (text.lower() if word else text), word
        at = found.end()
