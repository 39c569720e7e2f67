"""rexec: runs processes on this broker's node for clients anywhere in the session (RFC 42)."""
