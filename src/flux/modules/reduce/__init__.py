"""A reduction among programs: each brings a value, all get what they make together."""
