"""Clients on a unix socket: the local connector."""
