"""Named output formats: those that come with a command, and those of configuration files (flux-jobs(1))."""

import os
import sys
from collections.abc import Iterator, Mapping
from errno import EINVAL
from typing import Any, NamedTuple

from flux.base.invalid import Invalid


class Named(NamedTuple):
    """A format by name."""

    text: str
    description: str


def choose(command: str, asked: str | None, built_in: Mapping[str, Named], variable: str) -> str:
    """The format that was asked for by `-o`, else by an environment variable, else the default.

    Prints what there is for "help", and the configuration of one for "get-config=NAME": then the program ends.
    """
    asked = asked or os.environ.get(variable) or "default"
    if "{" in asked:
        return asked
    known = dict(built_in) | _configured(command)
    if asked == "help":
        _help(command, known)
        sys.exit(0)
    if asked.startswith("get-config="):
        _show(asked.removeprefix("get-config="), known)
        sys.exit(0)
    if asked not in known:
        raise Invalid(f"--format: No such format {asked}")
    return known[asked].text


def _help(command: str, known: Mapping[str, Named]) -> None:
    print(f"\nConfigured {command} output formats:\n")
    width = max(map(len, known))
    for name, (_, description) in known.items():
        print(f"  {name:<{width}}  {description}".rstrip())


def _show(name: str, known: Mapping[str, Named]) -> None:
    if name not in known:
        raise Invalid(f"--format: No such format {name}")
    print(f'[formats.{name}]\ndescription = "{known[name].description}"\nformat = "{known[name].text}"')


def _configured(command: str) -> dict[str, Named]:
    """From the site's files, then the user's, which count most."""
    found: dict[str, Named] = {}
    for path in _files(command):
        table = _read(path).get("formats", {})
        for name, entry in table.items():
            if not isinstance(entry, dict) or not isinstance(entry.get("format"), str):
                raise OSError(EINVAL, f"{path}: formats.{name}: format is not a string")
            found[name] = Named(entry["format"], str(entry.get("description", "")))
    return found


def _files(command: str) -> Iterator[str]:
    home = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    folders = (os.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":")
    for folder in (*reversed(folders), home):
        for kind in ("toml", "json"):
            path = os.path.join(folder, "flux", f"{command}.{kind}")
            if os.path.isfile(path):
                yield path


def _read(path: str) -> dict[str, Any]:
    try:
        with open(path, "rb") as file:
            if path.endswith(".json"):
                import json

                found: dict[str, Any] = json.load(file)
            else:
                import tomllib

                found = tomllib.load(file)
    except ValueError as error:
        raise OSError(EINVAL, f"{path}: {error}") from None
    return found
