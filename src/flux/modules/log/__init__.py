"""The broker's log."""
