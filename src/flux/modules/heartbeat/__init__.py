"""The session's pulse."""
