"""Carrying out, verifying, undoing; and the second guard, which stands before every effect."""
