"""Streams of what becomes of a key: from one root of the key-value store to the next."""
