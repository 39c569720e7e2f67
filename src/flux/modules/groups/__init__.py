"""Named sets of ranks, gathered up the tree."""
