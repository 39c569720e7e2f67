"""The job manager: the states of jobs, from their submission to their end (RFC 21)."""
