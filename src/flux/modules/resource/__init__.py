"""What the instance has: nodes, cores, GPUs; which of it may be used (RFC 20, 28, 44)."""
