"""How pressing a delivery looks before anybody has read it: a glance at its bytes, no parse.

It decides who is read first and nothing else. Whoever writes `CRITICAL` into an alert is read a little sooner and judged
no differently; whoever is not recognised is read in the middle.
"""

from __future__ import annotations

import re

LOWEST, MIDDLE, HIGH, HIGHEST = 0, 1, 2, 3
LOOKED_AT = 1 << 16
"""Bytes: what stands further back is not looked at."""

_KEYS = (b"severity", b"risk_level", b"risklevel", b"priority", b"label", b"orca_score", b"orcascore", b"normalized")
# What a key that ends in such a word says: a word, a number, or an object whose `value` says it. Backslashes stand where
# JSON was put into a string of JSON.
_SAID = re.compile(
    rb'(_id)?\\{0,4}"\s{0,9}:\s{0,9}(?:\{\s{0,9}"value"\s{0,9}:\s{0,9})?\\{0,4}"?'
    rb"(?:([a-z]+(?:[ _][a-z]+)?)|([0-9]{1,3})(?:\.[0-9]{1,9})?)"
)
_WORDS = {
    **dict.fromkeys((b"critical", b"fatal", b"emergency", b"alert"), HIGHEST),
    **dict.fromkeys((b"compromised", b"imminent compromise", b"imminent_compromise"), HIGHEST),
    **dict.fromkeys((b"high", b"error", b"hazardous"), HIGH),
    **dict.fromkeys((b"medium", b"moderate", b"warning"), MIDDLE),
    **dict.fromkeys((b"low", b"informational", b"info", b"notice", b"debug", b"none"), LOWEST),
}
_LACEWORK = {1: HIGHEST, 2: HIGH, 3: MIDDLE}


def urgency(source: str, body: bytes) -> int:
    """0 to 3: the gravest that the first 64 KiB say anywhere; 1 when they say nothing we know."""
    looked = body[:LOOKED_AT].lower()
    found = -1
    for key in _KEYS:
        place = looked.find(key)
        while place >= 0:
            place += len(key)
            said = _SAID.match(looked, place)
            if said is not None:
                found = max(found, _meant(source, key, said))
                if found == HIGHEST:
                    return HIGHEST
            place = looked.find(key, place)
    return MIDDLE if found < 0 else found


def _meant(source: str, key: bytes, said: re.Match[bytes]) -> int:
    counted, word, number = said.groups()
    if word is not None:
        return _WORDS.get(word, -1)
    if counted is not None:
        # OCSF's severity_id: 1 informational to 5 critical and 6 fatal.
        return min(max(int(number) - 2, LOWEST), HIGHEST) if 0 < int(number) < 7 else -1
    if source == "lacework":
        return _LACEWORK.get(int(number), LOWEST)
    # GuardDuty and Orca count to ten, Security Hub to a hundred.
    tenth = int(number) // 10 if key == b"normalized" else int(number)
    return HIGHEST if tenth >= 9 else HIGH if tenth >= 7 else MIDDLE if tenth >= 4 else LOWEST
