"""What can go wrong, by what the caller can do about it.

IsthmusError
├── Untrusted     drop it and say so: the bytes, the record or the setting is not what it must be
├── Unreachable   try again later: a platform was slow, full or away
└── Refused       do not try again: a platform, a policy or a guard said no
"""


class IsthmusError(Exception):
    """The root. Its text is written for the person who reads it, without a traceback."""


class Untrusted(IsthmusError):
    """Input that is not what it must be. `place` says where: a file, a key, a line."""

    def __init__(self, reason: str, place: str = "") -> None:
        super().__init__(f"{place}: {reason}" if place else reason)
        self.reason = reason
        self.place = place


class Unreachable(IsthmusError):
    """Somebody we depend on did not answer. Trying later may help."""


class Refused(IsthmusError):
    """Somebody who may decide said no. Trying again changes nothing."""
