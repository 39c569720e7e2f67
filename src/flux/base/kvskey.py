"""Keys: names with dots between them, "." for the root."""

from flux.base.invalid import Invalid

ROOT = "."


def normal(key: str) -> str:
    """The key without doubled, leading and trailing dots. Raises EINVAL for what cannot be one."""
    if not key or "\0" in key:
        raise Invalid("key is empty" if not key else "NUL in key")
    if key[0] != "." and key[-1] != "." and ".." not in key:
        return key
    return ".".join(filter(None, key.split("."))) or ROOT
