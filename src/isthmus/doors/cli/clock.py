"""The only place of the command line that looks at a clock."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """The moment, UTC."""
    return datetime.now(UTC)  # noqa: TID251 - a door may look at the clock
