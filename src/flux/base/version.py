"""The versions that we tell."""

INTERFACE = "0.88.0"
"""The flux-core interface level that is served: protocols, services, commands, Python package."""

OWN = "0.1.0"
"""The version of this implementation."""
