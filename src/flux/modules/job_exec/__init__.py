"""The execution of jobs (RFC 32) by `wreck`."""
