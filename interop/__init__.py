"""Whether today's Flux and ours understand each other: the commands of each against the brokers of the other."""
