"""The API under /v1: everything the desk can do, for programs."""
