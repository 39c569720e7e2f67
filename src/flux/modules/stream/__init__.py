"""Streams that are written to the key-value store, by several writers at a time."""
