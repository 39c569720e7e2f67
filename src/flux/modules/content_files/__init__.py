"""A backing store for content that is a directory of files, for whoever wants to see and copy them."""
