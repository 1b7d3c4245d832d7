"""What may name one thing: a concrete id, never a pattern, a collection, nothing at all, or text that reads as another."""

from __future__ import annotations

import re
import unicodedata

LONGEST_ID, LONGEST_WORD = 2_048, 256
_WILDCARDS = set("*?[]{}")
_NOTHING = {"none", "null", "undefined", "nan", ".", ".."}
_PARTS = re.compile(r"[:/]")


def wrong(text: object, longest: int) -> str:
    """What is wrong with a name of at most `longest` characters, in words that follow its field's; empty when nothing is."""
    if not isinstance(text, str) or not text:
        return "is empty"
    if len(text) > longest:
        return f"is longer than {longest} characters"
    if not text.isprintable() or any(character.isspace() for character in text):
        return "has spaces or invisible characters in it"
    if unicodedata.normalize("NFKC", text) != text:
        return "has characters in it that read as others"
    if _WILDCARDS & set(text):
        return "has a wildcard in it"
    return ""


def wrong_id(text: object) -> str:
    """As `wrong`, for the id of one thing: it must not end like a collection or like a missing value either."""
    said = wrong(text, LONGEST_ID)
    if said or not isinstance(text, str):
        return said
    last = _PARTS.split(text)[-1]
    if not last:
        return "names a collection, not one thing"
    return "names nothing" if last.lower() in _NOTHING else ""


def parts(text: str) -> tuple[str, ...]:
    """The parts of an id between its colons and slashes, without regard to case: Azure's ids have none."""
    return tuple(part for part in _PARTS.split(text.casefold()) if part)
