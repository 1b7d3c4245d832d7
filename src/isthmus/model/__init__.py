"""The nouns. Frozen, no I/O; nothing here imports another room."""
