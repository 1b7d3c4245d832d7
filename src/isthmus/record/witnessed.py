"""What is kept here of a witness: the newest checkpoint it signed, what it said last, and a loss somebody accepted."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from isthmus.model.errors import Refused, Unreachable, Untrusted
from isthmus.record import ledger
from isthmus.record.checkpoints import Checkpoint, Key, read
from isthmus.record.cosignatures import WitnessKey, cosignature_time
from isthmus.record.keys import Keys
from isthmus.record.ledger import BODIES, CHECKPOINTS, ENTRIES, commitment
from isthmus.record.schema import WITNESSED
from isthmus.record.store import text_of

NOT_LOST = -1
SUBJECT, ACCEPTED = "record", "record.loss_accepted"
OF_RECORD = "default"
"""The tenant entries about the record itself are kept under."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The newest checkpoint a witness signed, when it came (ISO 8601), and what is wrong; `lost` as the schema says."""

    size: int = 0
    note: str = ""
    at: str = ""
    lost: int = NOT_LOST
    trouble: str = ""


def standing(connection: Connection, witness: WitnessKey) -> Standing:
    """What is kept of this witness."""
    row = connection.execute(select(WITNESSED).where(WITNESSED.c.witness == str(witness))).first()
    return Standing() if row is None else Standing(row.size, row.note, row.at, row.lost, row.trouble)


def signed(connection: Connection, log: Key, witness: WitnessKey) -> tuple[Checkpoint, str] | None:
    """The newest checkpoint that log and witness signed, and its note; both signatures are checked each time.

    None when there is none. Raises `Untrusted` when what is kept is not what they signed.
    """
    kept = standing(connection, witness)
    if not kept.note:
        return None
    cosignature_time(kept.note, witness)
    return read(kept.note, log), kept.note


def keep(connection: Connection, witness: WitnessKey, told: Standing) -> None:
    """Keep what a witness said, over what it said before."""
    values = {"size": told.size, "note": told.note, "at": told.at, "lost": told.lost, "trouble": told.trouble[:2_000]}
    written = update(WITNESSED).where(WITNESSED.c.witness == str(witness)).values(**values)
    if connection.execute(written).rowcount == 0:
        connection.execute(insert(WITNESSED).values(witness=str(witness), **values))


def newest(connection: Connection) -> tuple[int, str]:
    """Size and note of the newest checkpoint of the log itself; (0, "") when nothing was signed yet."""
    row = connection.execute(select(CHECKPOINTS.c.size, CHECKPOINTS.c.note).order_by(CHECKPOINTS.c.size.desc())).first()
    return (0, "") if row is None else (row.size, row.note)


def intent(connection: Connection, tenant: str, incident: str, token: str) -> tuple[int, bytes]:
    """Index and leaf of the entry in which this intent was committed.

    Raises `Unreachable` when the record has none: what was not written down is not carried out.
    """
    joined = ENTRIES.join(BODIES, ENTRIES.c.idx == BODIES.c.idx)
    columns = ENTRIES.c.idx, ENTRIES.c.leaf, BODIES.c.salt, BODIES.c.body
    about = select(*columns).select_from(joined).where(ENTRIES.c.tenant == tenant, ENTRIES.c.subject == incident)
    for row in connection.execute(about.order_by(ENTRIES.c.idx.desc())):
        leaf = json.loads(row.leaf)
        if leaf["event"] == "step.intent" and json.loads(row.body).get("token") == token:
            if leaf["commitment"] != commitment(row.salt, row.body):
                raise Untrusted("its body is not what it was committed to", f"entry {row.idx}")
            return row.idx, row.leaf
    raise Unreachable("the intent is not on record")


def accept_loss(connection: Connection, keys: Keys, witness: WitnessKey, person: str, reason: str, now: datetime) -> Standing:
    """A person's word that what the witness saw and this record does not have is lost, written as an entry.

    Raises `Refused` when nothing is missing.
    """
    told = standing(connection, witness)
    if told.lost == NOT_LOST:
        raise Refused("nothing is missing: the witness has seen no other history of this record")
    signature = keys.sign(_word(witness, told.lost))
    body = {"witness": str(witness), "size": told.lost, "reason": reason, "signature": signature}
    ledger.append(connection, tenant=OF_RECORD, actor=person, event=ACCEPTED, subject=SUBJECT, body=body, at=now)
    return told


def accepted(connection: Connection, keys: Keys, witness: WitnessKey, lost: int) -> bool:
    """Whether somebody accepted exactly this loss. The word is signed: a row alone says nothing."""
    last = ledger.last(connection, OF_RECORD, SUBJECT, ACCEPTED)
    if last is None or last[1].get("size") != lost or last[1].get("witness") != str(witness):
        return False
    return keys.verify(_word(witness, lost), str(last[1].get("signature", "")))


def _word(witness: WitnessKey, lost: int) -> bytes:
    return f"isthmus/loss-accepted/1\n{witness}\n{lost}\n".encode()


def clear(told: Standing, note: str, size: int, now: datetime) -> Standing:
    """What is kept once the witness signed: never an older checkpoint over a newer one."""
    return Standing(size, note, text_of(now)) if size >= told.size or told.lost != NOT_LOST else told
