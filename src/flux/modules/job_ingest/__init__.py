"""Where jobs come in: checked, numbered, written down, handed to the manager (RFC 14, 16, 25)."""
