"""Blobs by their digest, cached on every rank (RFC 10)."""
