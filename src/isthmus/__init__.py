"""Isthmus: the agent layer between the platforms that see cloud risk and those that act on it."""

__version__ = "0.2.0"
