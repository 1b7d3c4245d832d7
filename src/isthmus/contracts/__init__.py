"""What we ask of the outside: roles, how a vendor declares itself, and the promises it must keep."""
