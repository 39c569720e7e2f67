"""What a service reads from attributes when it starts: text with a default, sizes with a unit."""

from errno import EINVAL, ENOENT

from flux.service.ports import Attributes

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def setting(attributes: Attributes, name: str, default: str) -> str:
    """The attribute's value, or `default` if there is none."""
    try:
        return attributes.get(name)
    except OSError as error:
        if error.errno != ENOENT:
            raise
        return default


def allowed(attributes: Attributes, name: str, configured: bool) -> bool:
    """Whether something is: the attribute says so, or without one the configuration."""
    text = setting(attributes, name, "")
    return text in ("1", "true") if text else configured


def size_setting(attributes: Attributes, name: str, default: int) -> int:
    """The attribute's value in bytes: "1048576", "64M". Raises EINVAL that names it."""
    text = setting(attributes, name, str(default)).strip()
    digits = text.rstrip("KMG")
    unit = text[len(digits) :]
    if not (digits.isascii() and digits.isdigit()) or unit not in _UNITS or len(digits) > 18:
        raise OSError(EINVAL, f"attribute {name}: not a size: {text:.40}")
    return int(digits) * _UNITS[unit]
