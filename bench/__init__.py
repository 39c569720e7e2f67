"""Measures Flux by what is public of it: the `flux` command and `import flux`. So it measures any Flux."""
