"""What is written of jobs, for those who may read it (RFC 41)."""
