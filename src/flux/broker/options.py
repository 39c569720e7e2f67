"""What a broker is told on its command line."""

import os
from collections.abc import Mapping
from typing import NamedTuple

from flux.base.config import Config
from flux.runtime.configfile import read_config


class BrokerOptions(NamedTuple):
    """Attributes set with -S, how often -v was given, and the initial program (empty: an interactive shell)."""

    attributes: dict[str, str]
    verbose: int = 0
    command: tuple[str, ...] = ()
    config_path: str = ""
    """File or directory of the configuration."""
    conf: tuple[str, ...] = ()
    """What prevails over it: files, TOML, JSON, KEY=VALUE."""
    config: Config | None = None
    """The configuration, if somebody has read it already."""

    def located(self, environ: Mapping[str, str] = os.environ) -> "BrokerOptions":
        """With the path that the environment says, if the command line says none."""
        return self._replace(config_path=self.config_path or environ.get("FLUX_CONF_DIR", ""))

    def read(self) -> Config:
        """Reads the configuration, and checks it. OSError says what is wrong with it, and where."""
        config = read_config(self.config_path, self.conf)
        config.check()
        return config
