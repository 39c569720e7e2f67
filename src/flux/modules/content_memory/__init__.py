"""A backing store for content that is nothing but memory, and bounded."""
