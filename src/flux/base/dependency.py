"""Dependencies as people write them (RFC 26): SCHEME:VALUE[?KEY=VALUE[&KEY=VALUE]]. Pure."""

from typing import Any

from flux.base.invalid import Invalid


def parse(text: str) -> dict[str, Any]:
    """Reads one. Raises Invalid."""
    scheme, colon, rest = text.partition(":")
    if not colon or not scheme:
        raise Invalid(f'"{text}" is not a dependency: SCHEME:VALUE, like afterok:JOBID')
    value, _, more = rest.partition("?")
    made: dict[str, Any] = {"scheme": scheme, "value": value}
    for pair in filter(None, more.replace(";", "&").split("&")):
        key, _, word = pair.partition("=")
        if key in made:
            raise Invalid(f"dependency {text}: {key} is there twice")
        made[key] = int(word) if word.isdecimal() else word
    return made
