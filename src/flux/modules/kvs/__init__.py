"""The key-value store: a hash tree whose root moves from one consistent snapshot to the next."""
