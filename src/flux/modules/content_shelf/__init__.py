"""Backing stores of content that keep blobs one by one under their names: files, or objects in a bucket."""
