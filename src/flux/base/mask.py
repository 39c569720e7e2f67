"""Small sets of small numbers (cores, GPUs) as bits of an int, and their texts (RFC 22)."""

from functools import lru_cache

from flux.base.idset import IDset

MOST = 1 << 16
"""No core or GPU has a number beyond this."""


@lru_cache(4096)
def parse(text: str) -> int:
    """The bits of an idset: "0-3" is 0b1111. Raises Invalid."""
    bits = 0
    for first, last in IDset(text).ranges():
        if last >= MOST:
            raise ValueError(f"'{text:.40}': numbers go to {MOST - 1}")
        bits |= (1 << last + 1) - (1 << first)
    return bits


@lru_cache(4096)
def text(bits: int) -> str:
    """The idset of some bits: 0b1011 is "0-1,3"."""
    found = []
    at = 0
    while bits >> at:
        rest = bits >> at
        first = at + (rest & -rest).bit_length() - 1
        ones = ~(bits >> first)
        last = first + (ones & -ones).bit_length() - 2
        found.append(str(first) if first == last else f"{first}-{last}")
        at = last + 1
    return ",".join(found)


def lowest(bits: int, count: int) -> int:
    """The lowest `count` of the bits that are set. There must be as many."""
    if count == bits.bit_count():
        return bits
    taken = 0
    for _ in range(count):
        one = bits & -bits
        taken |= one
        bits ^= one
    return taken
