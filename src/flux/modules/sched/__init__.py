"""The scheduler: which job gets what, and when (RFC 27)."""
