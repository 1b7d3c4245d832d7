"""Assets and how they hang together."""
