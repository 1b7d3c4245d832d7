"""Text made fit to be seen: nothing hidden in it, and no longer than the room there is."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from markupsafe import Markup

_NARROW, _BROAD = set("iljtfrI.,:;|!'()[]/\\ -"), set("mwMW@%…")
_BREAKS = re.compile(r"(?<=[\s\-_/:.@])|(?<=[a-z])(?=[A-Z])")
_ADDRESS = re.compile(r"https://[!#$%&'()*+,\-./0-9:;=?@A-Z\[\]_a-z~]{1,2000}")
_MOST_BROKEN = 400


def visible(value: Any) -> Any:
    """Text as a reader may see it: what would be invisible or would turn the line around is spelt out as ⟨U+202E⟩.

    Newlines and tabs stay. Markup and whatever is not text is handed through untouched.
    """
    if not isinstance(value, str) or isinstance(value, Markup) or value.isprintable():
        return value
    return "".join(_seen(character) for character in value)


def _seen(character: str) -> str:
    if character.isprintable() or character in "\n\t":
        return character
    return " " if character.isspace() and ord(character) > 0x1F else f"⟨U+{ord(character):04X}⟩"


def number(value: int) -> str:
    """With commas between the thousands."""
    return f"{value:,}"


def words(name: str) -> str:
    """A name of ours as words: `true_positive` is "true positive"."""
    return name.replace("_", " ")


def chip(priority: str) -> str:
    """The class a priority is drawn in; the word itself always stands beside the colour."""
    return {"act": "act", "attend": "attend", "track*": "star"}.get(priority, "track")


def is_https(address: str) -> bool:
    """Whether this may become a link: plain ASCII, https, a host, and nobody's name before it to deceive the reader."""
    if not _ADDRESS.fullmatch(address):
        return False
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme == "https" and bool(parts.hostname) and "@" not in parts.netloc


def wrapped(text: str, width: float, size: float, most: int) -> tuple[str, ...]:
    """At most so many lines of this width, broken where a reader would break a name; what is too long loses its middle."""
    lines = [""]
    for piece in _pieces(" ".join(visible(text).split()), width, size):
        if measured(lines[-1] + piece.rstrip(), size) <= width:
            lines[-1] += piece
        else:
            lines.append(piece)
    lines = [one for one in lines if one.strip()] or ["?"]
    if len(lines) > most:
        lines[most - 1 :] = ["".join(lines[most - 1 :])]
    return tuple(shortened(one, width, size) for one in lines)


def _pieces(text: str, width: float, size: float) -> Iterator[str]:
    """What may stand on a line by itself: parts of a name, or single characters where a part is wider than a line."""
    for piece in _BREAKS.split(text[:_MOST_BROKEN]):
        yield from (piece,) if measured(piece, size) <= width else piece


def shortened(text: str, width: float, size: float) -> str:
    """The text, or its beginning and end, in this width: names in clouds differ at their ends."""
    text = " ".join(visible(text).split())
    keep = min(len(text), 120)
    short = text
    while measured(short, size) > width and keep > 2:
        keep -= 1
        short = f"{text[: (keep + 1) // 2]}…{text[len(text) - keep // 2 :]}"
    return short


def measured(text: str, size: float) -> float:
    """Roughly how wide a sans-serif shows this: a server has no font to ask, so rather too wide than too narrow."""
    return size * sum(_breadth(character) for character in text)


def _breadth(character: str) -> float:
    if unicodedata.east_asian_width(character) in "WF":
        return 1.05
    if character in _NARROW:
        return 0.4
    return 0.95 if character in _BROAD else 0.74 if character.isupper() else 0.62
