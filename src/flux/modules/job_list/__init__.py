"""Lists of jobs, by what one wants to know (RFC 43)."""
