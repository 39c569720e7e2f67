"""Modules by request."""
