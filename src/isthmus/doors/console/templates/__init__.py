"""The templates of the console, and the one way to fill them in: as the triage page does it, with pieces of its own."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader
from markupsafe import Markup

from isthmus.answer import templates as answer

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


def rendered(name: str, **values: Any) -> Markup:
    """A template filled in: every text made visible, then escaped. A name the template does not get is an error."""
    return Markup(_environment().get_template(name).render(**values))  # noqa: S704 - rendered with autoescape


@cache
def _environment() -> Environment:
    """The triage page's own environment, with the console's templates found first."""
    theirs = answer.environment()
    loaders = [PackageLoader(room, "templates") for room in ("isthmus.doors.console", "isthmus.answer")]
    made = theirs.overlay(loader=ChoiceLoader(loaders))
    # An overlay shares its dictionaries with what it lies over; the triage page must not gain names from here.
    made.filters = {**theirs.filters, "minute": minute, "away": away}
    return made


def minute(text: str) -> str:
    """A stored moment (ISO 8601, UTC) for people, to the minute."""
    return f"{text[:10]} {text[11:16]}" if text else "never"


def away(text: str, now: datetime) -> str:
    """How far a stored moment is from now, in words: `in 12 minutes`, `3 hours ago`, `now`. Empty for no moment."""
    if not text:
        return ""
    seconds = (datetime.fromisoformat(text) - now).total_seconds()
    if abs(seconds) < _MINUTE:
        return "now"
    size, noun = _measure(abs(seconds))
    number = int(abs(seconds) // size)
    said = f"{number} {noun}{'' if number == 1 else 's'}"
    return f"in {said}" if seconds >= 0 else f"{said} ago"


def _measure(seconds: float) -> tuple[int, str]:
    if seconds < _HOUR:
        return _MINUTE, "minute"
    return (_HOUR, "hour") if seconds < 2 * _DAY else (_DAY, "day")
