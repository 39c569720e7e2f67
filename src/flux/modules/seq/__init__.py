"""Named numbers that nobody gets twice."""
