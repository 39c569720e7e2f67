"""Flux, the resource manager framework."""
