"""Sets of integers and their text (RFC 22), under the names of today's `flux.idset`."""

from flux.base.idset import BRACKETS as IDSET_FLAG_BRACKETS
from flux.base.idset import INVALID_ID as IDSET_INVALID_ID
from flux.base.idset import RANGE as IDSET_FLAG_RANGE
from flux.base.idset import IDset, decode

__all__ = ["IDSET_FLAG_BRACKETS", "IDSET_FLAG_RANGE", "IDSET_INVALID_ID", "IDset", "decode"]
