"""A barrier: callers all over the session leave it together."""
