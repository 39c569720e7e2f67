"""Client of the remote execution service: run a command on ranks, hear what it says, tell it what to read."""
