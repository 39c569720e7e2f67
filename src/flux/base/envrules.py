"""Rules that make an environment out of another: `-PATTERN`, `VAR=VALUE`, `PATTERN` (flux-run(1), --env)."""

import re
from collections.abc import Callable, Iterable, Mapping
from fnmatch import translate

from flux.base.invalid import Invalid

_reference = re.compile(r"\$(?:(?P<escaped>\$)|(?P<name>\w+)|\{(?P<braced>\w+)\}|(?P<wrong>))")


def apply(rules: Iterable[str], own: Mapping[str, str]) -> dict[str, str]:
    """The environment that the rules make, in their order, beginning with all of `own`. ValueError names a bad one."""
    env = dict(own)
    for rule in rules:
        name, equals, value = rule.partition("=")
        if rule.startswith("-"):
            matches = _matcher(rule[1:])
            env = {key: text for key, text in env.items() if not matches(key)}
        elif equals and not rule.startswith("/"):
            env[name] = _substituted(value, rule, env, own)
        else:
            matches = _matcher(rule)
            env |= {key: text for key, text in own.items() if matches(key) and key not in env}
    return env


def _matcher(pattern: str) -> Callable[[str], object]:
    """A regular expression between slashes, else a shell pattern."""
    if not pattern.startswith("/"):
        return re.compile(translate(pattern)).match
    try:
        return re.compile(pattern[1:].removesuffix("/")).search
    except re.error as error:
        raise Invalid(f"{pattern}: {error}") from None


def _substituted(value: str, rule: str, env: Mapping[str, str], own: Mapping[str, str]) -> str:
    def replace(match: re.Match[str]) -> str:
        if match["escaped"]:
            return "$"
        name = match["name"] or match["braced"]
        if name is None:
            raise Invalid(f"{rule}: '$' before something that is no name (write $$ for a dollar)")
        if name not in env and name not in own:
            raise Invalid(f"{rule}: variable {name} is not set")
        return env.get(name, own.get(name, ""))

    return _reference.sub(replace, value)
