"""Where the streams of a program are, below its name: as those of a job are below its guest directory (RFC 24)."""

INPUT, OUTPUT, EXIT_CODE = ".input", ".output", ".exit_code"
"""What its stdin is, what its stdout and stderr are, and what is known in the end."""
