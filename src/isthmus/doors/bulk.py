"""Many alerts in one request: a line of JSON each, an answer for each line, and the same answer to the same request."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from isthmus.doors.errors import Told
from isthmus.record import answers
from isthmus.record.answers import Answer, Place
from isthmus.record.store import Store

_KEY = re.compile(rb"[\x20-\x7e]{1,128}")
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Line:
    """One line that is not blank: which, what stands in it, and why it is refused, empty when it is not."""

    number: int
    body: bytes
    refused: str


def flaw(body: bytes) -> str:
    """Why this cannot be an alert in JSON, from a look at its bytes; empty when it can. Reading it is for later."""
    if body.removeprefix(_BOM).lstrip(b" \t\r\n")[:1] not in {b"{", b"["}:
        return "is no JSON object or list"
    if b"\0" in body:
        return "holds NUL bytes: JSON is sent in UTF-8"
    try:
        body.decode()
    except UnicodeDecodeError:
        return "is not UTF-8"
    return ""


def lines(body: bytes, most: int, longest: int) -> list[Line]:
    """The lines of a body. Raises `Told` when there is none that can be taken, or more than so many."""
    too_many = Told(413, "too_many", f"a request has at most {most} lines")
    # Counted first: a body of nothing but line ends is not worth taking apart.
    if body.count(b"\n") > 2 * most:
        raise too_many
    found: list[Line] = []
    for number, line in enumerate((one.strip(b" \t\r") for one in body.split(b"\n")), 1):
        if line:
            said = f"has more than {longest} bytes" if len(line) > longest else flaw(line)
            found.append(Line(number, line, said))
    if len(found) > most:
        raise too_many
    if not found:
        raise Told(400, "not_json", "the body has no line in it")
    if all(one.refused for one in found):
        raise Told(400, "not_json", f"no line can be taken; line {found[0].number} {found[0].refused}")
    return found


def told(found: Sequence[Line], fresh: Sequence[bool], request_id: str) -> bytes:
    """The answer: how many of each, and every line by its number. `fresh` is about those that were not refused."""
    new = iter(fresh)
    each = [
        {"line": one.number, "status": "refused", "reason": one.refused}
        if one.refused
        else {"line": one.number, "status": "accepted" if next(new) else "repeated"}
        for one in found
    ]
    counted = {word: sum(one["status"] == word for one in each) for word in ("accepted", "repeated", "refused")}
    return msgspec.json.encode({**counted, "lines": each, "request_id": request_id})


@dataclass(frozen=True, slots=True)
class Once:
    """A request under its Idempotency-Key. What is delivered twice is a repeat anyway: the key only keeps the answer."""

    store: Store
    place: Place
    request: bytes

    def known(self, now: datetime) -> Answer | None:
        """What was answered under this key, None when nothing was yet. Raises `Told` when it was for another request."""
        with self.store.writing() as connection:
            found = answers.take(connection, self.place, self.request, now)
        if found is None:
            return None
        if found.request != self.request:
            raise Told(409, "key_taken", "this Idempotency-Key was used for another request")
        return found if found.known else None

    def keep(self, status: int, body: bytes) -> None:
        """The answer to repeat."""
        with self.store.writing() as connection:
            answers.keep(connection, self.place, status, body)


def once(store: Store, tenant: str, instance: str, key: bytes, body: bytes) -> Once:
    """Raises `Told` for a key that is none. Keys of an instance are nobody else's."""
    if not _KEY.fullmatch(key):
        raise Told(400, "bad_request", "an Idempotency-Key has 1 to 128 printable ASCII characters")
    name = hashlib.sha256(instance.encode() + b"\0" + key).hexdigest()
    return Once(store, Place(tenant, "", name), hashlib.sha256(body).digest())
