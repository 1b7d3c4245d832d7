"""What a witness does with a request: read it, judge it, keep it, sign it. C2SP `tlog-witness`, `add-checkpoint`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from isthmus.model.errors import Untrusted
from isthmus.record.checkpoints import Checkpoint, Key, opened
from isthmus.record.cosignatures import body_of, cosigned, only_of, parts
from isthmus.record.merkle import Frontier, check_consistency, decoded_hash
from isthmus.witness.memory import Memory

_OLD = re.compile(r"old (0|[1-9][0-9]{0,17})", re.ASCII)
_LONGEST_PROOF = 63
SIGNED, MALFORMED, FORBIDDEN, UNKNOWN, CONFLICT, WRONG = 200, 400, 403, 404, 409, 422


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered: an HTTP status and a text. With `CONFLICT` the text is the size this witness knows."""

    status: int
    text: str


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked: sign this note, whose log begins with the one of `old` entries, as `proof` shows."""

    old: int
    proof: Sequence[bytes]
    note: str
    text: str
    told: Checkpoint


def request_of(body: bytes) -> Request:
    """The request in a body. Raises `Untrusted` unless it is spelled exactly as it must be."""
    try:
        head, found, note = body.decode().partition("\n\n")
    except UnicodeDecodeError:
        raise Untrusted("not UTF-8", "request") from None
    first, *lines = head.split("\n")
    old = _OLD.fullmatch(first)
    if not found or old is None:
        raise Untrusted("must begin with the old size, and have an empty line before the checkpoint", "request")
    if len(lines) > _LONGEST_PROOF:
        raise Untrusted(f"more than {_LONGEST_PROOF} hashes", "consistency proof")
    proof = tuple(decoded_hash(line) for line in lines)
    text, _ = parts(note)
    return Request(int(old[1]), proof, note, text, body_of(text))


class Witness:
    """Signs checkpoints of the logs it was given the keys of. Callable from several threads."""

    def __init__(self, memory: Memory, logs: Iterable[Key]) -> None:
        self.memory = memory
        self.logs: Mapping[str, Key] = _by_origin(logs)

    def add(self, body: bytes, now: datetime) -> Reply:
        """Sign the checkpoint in this request if the log only grew. Raises `Refused` when the folder fails us: nothing
        was signed then.
        """
        try:
            request = request_of(body)
        except Untrusted as error:
            return Reply(MALFORMED, f"{error}\n")
        key = self.logs.get(request.told.origin)
        if key is None:
            return Reply(UNKNOWN, "this log is not known here\n")
        try:
            opened(request.note, key)
        except Untrusted as error:
            return Reply(FORBIDDEN, f"{error}\n")
        if request.old > request.told.size:
            return Reply(MALFORMED, "the old size is larger than the checkpoint's\n")
        with self.memory.held():
            return self._signed(request, key, now)

    def _signed(self, request: Request, key: Key, now: datetime) -> Reply:
        last = self.memory.last(request.told.origin)
        known = 0 if last is None else last.size
        if request.old != known:
            return Reply(CONFLICT, f"{known}\n")
        try:
            _grew(last, request)
        except Untrusted as error:
            return Reply(WRONG, f"{error}\n")
        line = cosigned(request.text, self.memory.name, self.memory.private, int(now.timestamp()))
        # Kept before it is given away: what somebody holds of us we know of, whatever dies now.
        self.memory.keep(request.told.origin, only_of(request.note, [key]) + line)
        return Reply(SIGNED, line)


def _by_origin(logs: Iterable[Key]) -> dict[str, Key]:
    found: dict[str, Key] = {}
    for one in logs:
        if found.setdefault(one.name, one) != one:
            raise Untrusted("two keys for one log", one.name)
    return found


def _grew(last: Checkpoint | None, request: Request) -> None:
    """Raises `Untrusted` unless the log asked about begins with the one signed last."""
    told = request.told
    if told.size == 0 and told.root != Frontier().root():
        raise Untrusted("an empty log has another root", "checkpoint")
    if last is None or last.size == 0:
        if request.proof:
            raise Untrusted("nothing was there before; there is nothing to prove", "consistency proof")
        return
    check_consistency(last.size, told.size, request.proof, last.root, told.root)
