"""Who is alive: neighbours watch each other, and rewire the tree around those that are not."""
