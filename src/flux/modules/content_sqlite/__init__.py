"""The backing store of content that is on disk: one SQLite database."""
