"""The ledger: what was done, by whom, on what, in an order nobody can change unseen.

An entry is written in the transaction of the change it records, so that neither is ever there without the other. The
tree holds only opaque ids and a salted commitment to the entry's body; bodies may be deleted without harm to the tree.
`isthmus.record.audit` reads it back and says what does not fit.

A leaf, for ever: RFC 8785 JSON of `actor`, `at` (RFC 3339, UTC, microseconds, `Z`), `commitment` (hex of
SHA-256 over salt and body), `event`, `format` (`isthmus/entry/1`), `subject`, `tenant`.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import rfc8785
from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    bindparam,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from isthmus.model.errors import Refused, Unreachable, Untrusted
from isthmus.record.checkpoints import Checkpoint, Signer, read, signed
from isthmus.record.merkle import Frontier, decoded, leaf_hash
from isthmus.record.schema import METADATA

FORMAT = "isthmus/entry/1"
LARGEST_LEAF = 16_384
SALT_BYTES = 32
_AT_ONCE = 500
_OPAQUE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,255}", re.ASCII)
_EVENT = re.compile(r"[a-z][a-z0-9._-]{0,63}", re.ASCII)
# On SQLite only an INTEGER key is the row's own number.
_INDEX = BigInteger().with_variant(Integer, "sqlite")

ENTRIES = Table(
    "ledger_entries",
    METADATA,
    Column("idx", _INDEX, primary_key=True, autoincrement=False),
    Column("tenant", String(256), nullable=False),
    Column("subject", String(256), nullable=False),
    Column("leaf", LargeBinary, nullable=False),
    Column("leaf_hash", LargeBinary, nullable=False),
    Index("ix_ledger_entries_subject", "tenant", "subject", "idx"),
)
"""`tenant` and `subject` repeat what the leaf says, for looking entries up; the audit compares them."""
BODIES = Table(
    "ledger_bodies",
    METADATA,
    Column("idx", _INDEX, primary_key=True, autoincrement=False),
    Column("salt", LargeBinary, nullable=False),
    Column("body", LargeBinary, nullable=False),
)
HEAD = Table(
    "ledger_head",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("size", BigInteger, nullable=False),
    Column("frontier", LargeBinary, nullable=False),
    Column("root", LargeBinary, nullable=False),
)
CHECKPOINTS = Table(
    "ledger_checkpoints",
    METADATA,
    Column("size", _INDEX, primary_key=True, autoincrement=False),
    Column("note", Text, nullable=False),
    Column("frontier", LargeBinary, nullable=False),
)

# Built once: SQLAlchemy keeps what it worked out about a statement with the statement.
_HELD_HEAD = select(HEAD.c.size, HEAD.c.frontier).where(HEAD.c.id == 1).with_for_update()
_ADD_ENTRIES, _ADD_BODIES = insert(ENTRIES), insert(BODIES)
_MOVE_HEAD = update(HEAD).where(HEAD.c.id == 1, HEAD.c.size == bindparam("size_before"))


@dataclass(frozen=True, slots=True)
class Entry:
    """What happened: `actor` did `event` to `subject`. Both are opaque ids, never names or addresses of people:
    they stay for ever. What may have to be deleted one day stands in `body`, which is JSON.
    """

    tenant: str
    actor: str
    event: str
    subject: str
    body: Mapping[str, Any]
    at: datetime


def append(
    connection: Connection, *, tenant: str, actor: str, event: str, subject: str, body: Mapping[str, Any], at: datetime
) -> int:
    """Write one entry in the caller's transaction; its index. As `extend`."""
    return extend(connection, (Entry(tenant, actor, event, subject, body, at),))[0]


def extend(connection: Connection, entries: Sequence[Entry]) -> range:
    """Write entries in the caller's transaction, in this order; their indexes.

    The head is read for update and moved on in the same transaction, so that two writers cannot fork the log. On SQLite
    the caller's transaction begins with BEGIN IMMEDIATE. Raises `Untrusted` for an entry that is not what it must be,
    `Unreachable` when another writer was faster; nothing of the transaction may then be kept.
    """
    leaves = [_leaf(entry) for entry in entries]
    frontier = before = _head(connection)
    rows = []
    for entry, (leaf, _, _) in zip(entries, leaves, strict=True):
        hashed = leaf_hash(leaf)
        said = {"tenant": entry.tenant, "subject": entry.subject}
        rows.append({"idx": frontier.size, **said, "leaf": leaf, "leaf_hash": hashed})
        frontier = frontier.append(hashed)
    if rows:
        connection.execute(_ADD_ENTRIES, rows)
        bodies = [{"idx": row["idx"], "salt": salt, "body": body} for row, (_, salt, body) in zip(rows, leaves, strict=True)]
        connection.execute(_ADD_BODIES, bodies)
        _move(connection, before, frontier)
    return range(before.size, frontier.size)


def _leaf(entry: Entry) -> tuple[bytes, bytes, bytes]:
    """Leaf, salt and body of an entry."""
    for name, value, form in (
        ("tenant", entry.tenant, _OPAQUE),
        ("actor", entry.actor, _OPAQUE),
        ("subject", entry.subject, _OPAQUE),
        ("event", entry.event, _EVENT),
    ):
        if not form.fullmatch(value):
            raise Untrusted("must be an opaque id or word: letters, digits and . _ : / -", f"ledger entry, {name}")
    salt, body = secrets.token_bytes(SALT_BYTES), _canonical(dict(entry.body))
    return leaf_of(entry, commitment(salt, body)), salt, body


def leaf_of(entry: Entry, committed: str) -> bytes:
    """The bytes of an entry's leaf. Raises `Untrusted` when they are too many or its time has no zone."""
    if entry.at.tzinfo is None:
        raise Untrusted("has no time zone", "ledger entry, at")
    leaf = _canonical(
        {
            "actor": entry.actor,
            "at": entry.at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "commitment": committed,
            "event": entry.event,
            "format": FORMAT,
            "subject": entry.subject,
            "tenant": entry.tenant,
        }
    )
    if len(leaf) > LARGEST_LEAF:
        raise Untrusted(f"{len(leaf)} bytes, the most is {LARGEST_LEAF}", "ledger entry")
    return leaf


def commitment(salt: bytes, body: bytes) -> str:
    """What the leaf says of a body: nothing that can be guessed back without the salt. Hex."""
    return hashlib.sha256(salt + body).hexdigest()


def _canonical(value: dict[str, Any]) -> bytes:
    try:
        return rfc8785.dumps(value)
    except (ValueError, RecursionError) as error:
        raise Untrusted(f"is not plain JSON: {error}", "ledger entry") from None


def _head(connection: Connection) -> Frontier:
    """The tree's right edge, held for update until the transaction ends."""
    row = connection.execute(_HELD_HEAD).one_or_none()
    if row is None:
        _begun(connection)
        row = connection.execute(_HELD_HEAD).one()
    return decoded(row.size, row.frontier)


def _begun(connection: Connection) -> None:
    """The head of an empty log, so that there is something to hold; two first writers leave one."""
    try:
        with connection.begin_nested():
            connection.execute(insert(HEAD).values(id=1, size=0, frontier=b"", root=Frontier().root()))
    except IntegrityError:
        return


def _move(connection: Connection, before: Frontier, after: Frontier) -> None:
    new = {"size": after.size, "frontier": after.encoded(), "root": after.root()}
    moved = connection.execute(_MOVE_HEAD, {"size_before": before.size, **new})
    if moved.rowcount != 1:
        raise Unreachable("ledger: another writer was faster")


def forget(connection: Connection, indexes: Iterable[int]) -> int:
    """Delete the bodies of these entries in the caller's transaction, for retention; how many there were.

    The entries stay, and say no more than that something happened to an opaque id at a time.
    """
    wanted, gone = sorted(set(indexes)), 0
    for at in range(0, len(wanted), _AT_ONCE):
        gone += connection.execute(delete(BODIES).where(BODIES.c.idx.in_(wanted[at : at + _AT_ONCE]))).rowcount
    return gone


def last(
    connection: Connection, tenant: str, subject: str, kind: str = "", holding: str = ""
) -> tuple[str, dict[str, Any]] | None:
    """The newest entry about a subject of this kind of event (`policy` is any `policy.…`), whose body is still there and
    has this key: event and body. What is told of the subject elsewhere must not be older.
    """
    joined = ENTRIES.join(BODIES, ENTRIES.c.idx == BODIES.c.idx)
    rows = select(ENTRIES.c.leaf, BODIES.c.body).select_from(joined).order_by(ENTRIES.c.idx.desc())
    for row in connection.execute(rows.where(ENTRIES.c.tenant == tenant, ENTRIES.c.subject == subject)):
        event, body = json.loads(row.leaf)["event"], json.loads(row.body)
        if (event == kind or event.startswith(f"{kind}." if kind else "")) and (not holding or holding in body):
            return event, body
    return None


def size(connection: Connection) -> int:
    """How many entries there are."""
    return connection.execute(select(HEAD.c.size)).scalar() or 0


def checkpoint(connection: Connection, signer: Signer) -> str:
    """Sign the log as it stands, in the caller's transaction, and keep the note; the note, to be given away.

    The entries since the last checkpoint are hashed again, and must lead from the root that was signed then to the
    head: what was changed below is never signed over. Raises `Refused` when they do not, or when there is nothing yet.
    """
    head = _head(connection)
    if head.size == 0:
        raise Refused("ledger: there is nothing to sign yet")
    start, last = _signed_last(connection, signer)
    if start.size > head.size or _since(connection, start) != head:
        raise Refused(f"ledger: not signed; what follows entry {start.size} does not lead from what was signed to the head")
    if last and start.size == head.size:
        return last
    note = signed(Checkpoint(signer.name, head.size, head.root()).text, signer)
    connection.execute(insert(CHECKPOINTS).values(size=head.size, note=note, frontier=head.encoded()))
    return note


def _signed_last(connection: Connection, signer: Signer) -> tuple[Frontier, str]:
    """The tree of the newest checkpoint, which must be the one its signature is about, and its note."""
    row = connection.execute(select(CHECKPOINTS).order_by(CHECKPOINTS.c.size.desc()).limit(1)).one_or_none()
    if row is None:
        return Frontier(), ""
    try:
        told, frontier = read(row.note, signer.key), decoded(row.size, row.frontier)
    except Untrusted as error:
        raise Refused(f"ledger: not signed; the last checkpoint is not ours to go on from: {error}") from None
    if (told.size, told.root) != (frontier.size, frontier.root()):
        raise Refused("ledger: not signed; the last checkpoint is not what was kept beside it")
    return frontier, row.note


def _since(connection: Connection, start: Frontier) -> Frontier:
    """The tree of a frontier and every leaf after it, hashed again."""
    query = select(ENTRIES.c.idx, ENTRIES.c.leaf).where(ENTRIES.c.idx >= start.size).order_by(ENTRIES.c.idx)
    frontier = start
    for row in connection.execute(query.execution_options(yield_per=_AT_ONCE)):
        if row.idx != frontier.size:
            raise Refused(f"ledger: not signed; entry {frontier.size} is missing")
        frontier = frontier.append(leaf_hash(row.leaf))
    return frontier
