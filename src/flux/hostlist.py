"""Lists of host names and their text (RFC 29), under the names of today's `flux.hostlist`."""

from flux.base.hostlist import Hostlist, decode

__all__ = ["Hostlist", "decode"]
