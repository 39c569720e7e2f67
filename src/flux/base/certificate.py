"""A CURVE certificate as text: what `flux keygen` writes and `bootstrap.curve_cert` names (ZPL, as CZMQ has it)."""

import re
from collections.abc import Mapping
from errno import EINVAL
from typing import NamedTuple

HEADER = "#  ZeroMQ CURVE **Secret** Certificate\n#  DO NOT DISTRIBUTE\n\n"
KEY_LENGTH = 40
"""Characters of a key in Z85."""

_key = re.compile(r"[A-Za-z0-9.-]+")
_value = re.compile(r"[A-Za-z0-9.:+=^!/*?&<>()\[\]{}@%$# \t-]*")
_pair = re.compile(r'\s+([A-Za-z0-9.-]+)\s*=\s*"(.*)"\s*')


class Certificate(NamedTuple):
    """A key pair in Z85, and what is noted with it."""

    public: str
    secret: str
    metadata: Mapping[str, str]

    def text(self) -> str:
        """As it is written to a file."""
        notes = "".join(f'    {key} = "{value}"\n' for key, value in self.metadata.items())
        keys = f'    public-key = "{self.public}"\n    secret-key = "{self.secret}"\n'
        return f"{HEADER}metadata\n{notes}curve\n{keys}"


def check_note(key: str, value: str) -> None:
    """Refuses what cannot stand in a certificate: OSError(EINVAL)."""
    if not _key.fullmatch(key):
        raise OSError(EINVAL, f"'{key}': a key has only letters, digits, '.' and '-'")
    if not _value.fullmatch(value):
        raise OSError(EINVAL, f"{key}: '{value}' has characters that a certificate cannot hold")


def read_certificate(text: str, name: str) -> Certificate:
    """Reads a certificate. OSError(EINVAL) names it and the line."""
    sections: dict[str, dict[str, str]] = {"metadata": {}, "curve": {}}
    section = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        pair = _pair.fullmatch(line)
        if line.strip() in sections and not line[0].isspace():
            section = line.strip()
        elif pair is not None and section:
            sections[section][pair[1]] = pair[2]
        else:
            raise OSError(EINVAL, f"{name}:{number}: not a line of a certificate")
    keys = [sections["curve"].get(f"{kind}-key", "") for kind in ("public", "secret")]
    if any(len(key) != KEY_LENGTH for key in keys):
        raise OSError(EINVAL, f"{name}: no certificate with a public-key and a secret-key")
    return Certificate(keys[0], keys[1], sections["metadata"])
