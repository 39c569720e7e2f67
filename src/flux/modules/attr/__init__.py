"""Attributes by request."""
