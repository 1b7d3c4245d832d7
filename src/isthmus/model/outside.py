"""Text somebody else wrote, labelled as such from the field it came in to the place it is shown."""

from __future__ import annotations

LONGEST = 2_000
"""Characters kept of one text. Alert text is evidence to point at, not a document store."""


def printable(text: str) -> str:
    """One line of visible characters: no control, escape, bidirectional, zero-width or tag characters.

    Lone surrogates go too, so the result always encodes to UTF-8.
    """
    if text.isprintable():
        return text
    spaced = " ".join(text.split())
    return "".join(character for character in spaced if character.isprintable())


class Outside:
    """Text from an alert. It may be shown, and its words may raise attention; it never lowers anything.

    It is not a `str`, so it cannot slip into a comparison, a key, a command or a template unnoticed.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = printable(text[:LONGEST])

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"Outside({self._text!r})"

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Outside) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


NOTHING = Outside("")
