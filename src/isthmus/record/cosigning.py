"""The witness, asked: each checkpoint is sent to it with the proof that the log only grew, and its signature kept.

What follows from its answers is asked before every effect (`Receipts.check`): nothing is carried out while the record is
shorter than the one the witness has seen, as after a restored backup; and no containment before the witness has signed a
checkpoint that covers its intent.
"""

from __future__ import annotations

import base64
import logging
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from isthmus.contracts.wire import Http, Reply
from isthmus.model.errors import IsthmusError, Refused, Unreachable, Untrusted
from isthmus.record import witnessed
from isthmus.record.checkpoints import Checkpoint, Key, read
from isthmus.record.cosignatures import WitnessKey, joined
from isthmus.record.merkle import check_consistency, check_inclusion, leaf_hash
from isthmus.record.proofs import consistency, inclusion
from isthmus.record.publishing import published
from isthmus.record.store import Store, moment_of
from isthmus.record.tiles import CHECKPOINT
from isthmus.record.witnessed import NOT_LOST

LOG = logging.getLogger("isthmus.record")
HEARTBEAT = timedelta(seconds=60)
_TRIES = 4
_CONFLICT, _OTHER_HISTORY = 409, 422
_SHORTER = "the record is shorter than the witnessed one"


class Receipts:
    """One witness, as this process has heard it. `folder` is where the log's tiles lie.

    `required` says what waits while the witness is away: with it, every containment; without, none.
    """

    def __init__(self, store: Store, log: Key, folder: Path, witness: WitnessKey, http: Http, required: bool = True) -> None:
        self._store, self._log, self._folder, self._http = store, log, folder, http
        self.witness = witness
        self.required = required
        self.tried = False
        self.answered = False
        self.away = ""
        self.lost = NOT_LOST

    async def send(self, now: datetime) -> None:
        """Have the newest checkpoint signed, unless the witness did so within the last minute.

        Raises `IsthmusError` when it did not; that is kept for `check`.
        """
        with self._store.reading() as connection:
            size, note = witnessed.newest(connection)
            kept = witnessed.standing(connection, self.witness)
        since = moment_of(kept.at)
        fresh = since is not None and since <= now < since + HEARTBEAT
        if not note or (self._signing and self.answered and kept.size == size and fresh):
            return
        try:
            await self._sent(read(note, self._log), note, kept.size, now)
            self.away, self.answered = "", True
        except IsthmusError as error:
            self.away = str(error)
            self._note(lost=self.lost, trouble=str(error))
            raise
        finally:
            self.tried = True

    async def _sent(self, told: Checkpoint, note: str, old: int, now: datetime) -> None:
        for _ in range(_TRIES):
            proof = self._proof(min(old, told.size), told)
            lines = "".join(f"{base64.b64encode(one).decode()}\n" for one in proof)
            asked = f"old {min(old, told.size)}\n{lines}\n{note}".encode()
            reply = await self._http.request(
                "POST", "/add-checkpoint", content=asked, expect=(_CONFLICT, _OTHER_HISTORY), repeatable=False
            )
            if reply.status == _OTHER_HISTORY:
                return self._missing(old, f"the witness has seen another history of this record, of {old} entries")
            if reply.status != _CONFLICT:
                return self._signed(joined(note, _text(reply), self.witness), told, now)
            old = _size(reply)
            with self._store.reading() as connection:
                newest, _ = witnessed.newest(connection)
            if old > newest:
                return self._missing(old, f"the witness has seen {old} entries, there are {newest}")
            if old > told.size:
                return None
        raise Unreachable("the witness tells another size each time it is asked")

    def _proof(self, old: int, told: Checkpoint) -> tuple[bytes, ...]:
        """From the tiles, and right, or not at all: a wrong one would look like another history.

        Raises `Unreachable` when the tiles do not give it; they are then written again.
        """
        done = published(self._folder, self._log)
        try:
            proof = consistency(done.tiles, old, told.size, done.size)
            if old:
                check_consistency(old, told.size, proof, done.tiles.root(0, old, done.size), told.root)
        except (Untrusted, Unreachable) as error:
            self._doubted()
            raise Unreachable(f"the log's files do not give a proof, they are written again: {error}") from None
        return proof

    def _doubted(self) -> None:
        """Files without a checkpoint count as nothing: the next time everything is published again."""
        (self._folder / CHECKPOINT).unlink(missing_ok=True)

    def _signed(self, note: str, told: Checkpoint, now: datetime) -> None:
        with self._store.writing() as connection:
            kept = witnessed.standing(connection, self.witness)
            witnessed.keep(connection, self.witness, witnessed.clear(kept, note, told.size, now))
        if self.lost != NOT_LOST:
            LOG.warning("the witness %s signs this record again, from %s entries on", self.witness.name, told.size)
        self.lost = NOT_LOST

    def _missing(self, lost: int, why: str) -> None:
        if self.lost != lost:
            LOG.error("%s: %s; nothing is carried out until an admin accepts the loss", _SHORTER, why)
        self.lost = lost
        self._note(lost=lost, trouble=f"{_SHORTER}: {why}")

    def _note(self, lost: int, trouble: str) -> None:
        with self._store.writing() as connection:
            kept = witnessed.standing(connection, self.witness)
            if (kept.lost, kept.trouble) != (lost, trouble):
                witnessed.keep(connection, self.witness, replace(kept, lost=lost, trouble=trouble))

    @property
    def _signing(self) -> bool:
        """Whether it signed, or had nothing against it, when it was last asked."""
        return not self.away and self.lost == NOT_LOST

    @property
    def standing(self) -> str:
        """Why effects do not go on as they should; empty when they do. For people."""
        if self.lost != NOT_LOST:
            return self.safe()
        return "" if self.answered and not self.away else self.away or "the witness has not been asked yet"

    def safe(self) -> str:
        """Why nothing at all is carried out; empty when that is not so, or when somebody accepted the loss."""
        if self.lost == NOT_LOST:
            return ""
        with self._store.reading() as connection:
            known = witnessed.accepted(connection, self._store.keys, self.witness, self.lost)
        return "" if known else f"{_SHORTER}; an admin can say `isthmus record accept-loss`"

    def check(self, tenant: str, incident: str, token: str, contains: bool) -> None:
        """Raises `Unreachable` naming why this effect waits.

        `contains` is for what changes an estate: it needs, once its intent is committed under `token`, the witness's
        receipt for it. Cases and undoing need none.
        """
        why = self.safe()
        if why:
            raise Unreachable(why)
        if not self.tried or (contains and self.required and not self.answered):
            raise Unreachable("the witness has not yet said whether this record is whole")
        if contains and token and (self.required or self._signing):
            self._receipt(tenant, incident, token)

    def _receipt(self, tenant: str, incident: str, token: str) -> None:
        with self._store.reading() as connection:
            index, leaf = witnessed.intent(connection, tenant, incident, token)
            found = witnessed.signed(connection, self._log, self.witness)
        if found is None or index >= found[0].size:
            raise Unreachable("waiting for the witness's receipt of the intent")
        told, done = found[0], published(self._folder, self._log)
        try:
            proof = inclusion(done.tiles, index, told.size, done.size)
            check_inclusion(leaf_hash(leaf), index, told.size, proof, told.root)
        except Untrusted as error:
            self._doubted()
            raise Unreachable(f"the intent is not in what the witness signed: {error.reason}") from None


def _text(reply: Reply) -> str:
    try:
        return reply.body.decode()
    except UnicodeDecodeError:
        raise Untrusted("is not text", "the witness's answer") from None


def _size(reply: Reply) -> int:
    text = _text(reply).removesuffix("\n")
    if not text.isascii() or not text.isdigit() or len(text) > 18 or (text[0] == "0" and text != "0"):
        raise Refused("the witness answered 409 without the size it knows")
    return int(text)
