"""Names of blobs by their content: "sha1-" and hexadecimal digits in text, raw digests on the wire (RFC 10)."""

from flux.base.invalid import Invalid

_SIZES = {"sha1": 20, "sha256": 32}
_HEX = frozenset("0123456789abcdef")


class BlobHash:
    """The hash of one instance (attribute content.hash). Raises EINVAL for a name that is none."""

    __slots__ = ("_hash", "name", "size")

    def __init__(self, name: str = "sha1") -> None:
        if name not in _SIZES:
            raise Invalid(f"no such content hash: {name:.40}")
        self.name, self.size = name, _SIZES[name]
        # Whoever only reads blobrefs is spared the import.
        import hashlib

        self._hash = hashlib.sha1 if name == "sha1" else hashlib.sha256

    def digest(self, blob: bytes) -> bytes:
        """The raw digest of a blob."""
        return self._hash(blob).digest()

    def blobref(self, blob: bytes) -> str:
        """The blobref of a blob."""
        return f"{self.name}-{self._hash(blob).hexdigest()}"

    def name_digest(self, digest: bytes) -> str:
        """The blobref of a raw digest."""
        return f"{self.name}-{digest.hex()}"


def is_blobref(value: object) -> bool:
    """Whether that is the text of a blobref."""
    if not isinstance(value, str):
        return False
    name, _, digits = value.partition("-")
    return len(digits) == 2 * _SIZES.get(name, -1) and _HEX.issuperset(digits)


def digest(blobref: str) -> bytes:
    """The raw digest that a blobref names. Raises EINVAL."""
    if not is_blobref(blobref):
        raise Invalid(f"not a blobref: {blobref:.80}")
    return bytes.fromhex(blobref.partition("-")[2])


def of_digest(raw: bytes) -> str:
    """The blobref of a raw digest, whose size tells the hash. Raises EINVAL."""
    for name, size in _SIZES.items():
        if len(raw) == size:
            return f"{name}-{raw.hex()}"
    raise Invalid(f"not a digest: {len(raw)} bytes")
