"""The configuration of an instance that is to be started, from what people write (flux-batch(1), --conf)."""

import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

LOADERS = {".toml": tomllib.loads, ".json": json.loads}
BAD = (ValueError, tomllib.TOMLDecodeError)


class BatchConfig:
    """Made by one `update` after the other; later ones go before. `config` is the result, None without any."""

    def __init__(self) -> None:
        self.config: dict[str, Any] | None = None

    def update(self, value: str) -> Self:
        """Adds text of several lines (JSON or TOML), KEY=VALUE (a path with dots; VALUE is JSON, or else text), a file
        that ends in .toml or .json, or the configuration of that name in $XDG_CONFIG_HOME/flux/config and the like.

        Returns the whole. ValueError says what is wrong.
        """
        if "\n" in value:
            return self.update_string(value)
        if "=" in value:
            return self.update_keyval(value)
        extension = Path(value).suffix
        if extension in LOADERS:
            return self.update_file(value, extension)
        return self.update_named_config(value)

    def update_string(self, value: str) -> Self:
        """Adds JSON or TOML."""
        for load in (json.loads, tomllib.loads):
            try:
                return self._add(load(value))
            except BAD:
                continue
        raise ValueError("--conf: failed to parse multiline as TOML or JSON")

    def update_keyval(self, keyval: str) -> Self:
        """Adds one value by its path: KEY=VALUE. TypeError if something on the way is no table."""
        key, _, text = keyval.partition("=")
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        return self._add(nested(key, value), strict=key)

    def update_file(self, path: str, extension: str = ".toml") -> Self:
        """Adds a file of that kind, .toml or .json."""
        if extension not in LOADERS:
            raise ValueError(f"--conf: {path} must end in .toml or .json")
        try:
            return self._add(LOADERS[extension](Path(path).read_text(encoding="utf-8")))
        except OSError as error:
            raise ValueError(f"--conf: {path}: {error.strerror}") from None
        except BAD as error:
            raise ValueError(f"--conf: parse error: {path}: {error}") from None

    def update_named_config(self, name: str) -> Self:
        """Adds the configuration of that name, of the first directory that has one."""
        for directory in _directories():
            for extension in LOADERS:
                path = directory / f"{name}{extension}"
                if path.exists():
                    return self.update_file(str(path), extension)
        raise ValueError(f"--conf: named config '{name}' not found")

    def get(self, key: str, default: Any = None) -> Any:
        """A value by its path."""
        at: Any = self.config or {}
        for name in key.split("."):
            if not isinstance(at, Mapping) or name not in at:
                return default
            at = at[name]
        return at

    def _add(self, table: Any, strict: str = "") -> Self:
        if not isinstance(table, Mapping):
            raise ValueError("--conf: not a table")
        self.config = {} if self.config is None else self.config
        _merge(self.config, table, strict)
        return self


def configuration(conf: Any) -> Mapping[str, Any] | None:
    """A configuration as a dict, of a dict, a BatchConfig, or what `BatchConfig.update` takes."""
    if conf is None or isinstance(conf, Mapping):
        return conf
    return conf.config if isinstance(conf, BatchConfig) else BatchConfig().update(str(conf)).config


def nested(key: str, value: Any) -> dict[str, Any]:
    """A value in the tables that its path names."""
    for name in reversed(key.split(".")):
        value = {name: value}
    return dict(value)


def _merge(into: dict[str, Any], table: Mapping[str, Any], strict: str) -> None:
    for key, value in table.items():
        if isinstance(value, Mapping) and isinstance(into.get(key), dict):
            _merge(into[key], value, strict)
        elif strict and isinstance(value, Mapping) and key in into:
            raise TypeError(f"failed to set {strict}: {key} is no table")
        else:
            into[key] = value


def _directories() -> list[Path]:
    own = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    shared = os.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg"
    return [Path(directory, "flux", "config") for directory in (own, *shared.split(":"))]
