"""The ledger read back from the first entry to the last, and everything in it that does not fit.

Shown: every change, loss, insertion or exchange below the newest checkpoint that anybody still holds. Not shown: what
happened to entries younger than that (`covered` says where it ends), a body deleted by somebody who had no reason to,
and what was never written down. Checkpoints held elsewhere say more than those kept beside the log.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import rfc8785
from sqlalchemy import LargeBinary, cast, select
from sqlalchemy.engine import Connection

from isthmus.model.errors import Untrusted
from isthmus.record.checkpoints import Checkpoint, Key, read
from isthmus.record.ledger import BODIES, CHECKPOINTS, ENTRIES, FORMAT, HEAD, LARGEST_LEAF, SALT_BYTES, commitment
from isthmus.record.merkle import Frontier, leaf_hash

_AT_ONCE = 500


class _Leaf(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    actor: str
    at: str
    commitment: str
    event: str
    format: str
    subject: str
    tenant: str


@dataclass(frozen=True, slots=True)
class Verified:
    """What the audit found. `problems` is empty when the whole log is what was written and signed.

    `covered` is how many entries stand below a checkpoint that holds; `forgotten` how many bodies are gone.
    """

    size: int
    root: bytes
    covered: int
    forgotten: int
    problems: list[str]


@dataclass(slots=True)
class _Reading:
    """What has been read so far."""

    wanted: frozenset[int]
    frontier: Frontier = field(default_factory=Frontier)
    roots: dict[int, bytes] = field(default_factory=dict)
    forgotten: int = 0
    next: int = 0
    problems: list[str] = field(default_factory=list)


def verify(connection: Connection, key: Key, held: Iterable[str] = ()) -> Verified:
    """Check the whole log against itself, against the checkpoints kept beside it, and against those `held` elsewhere.

    Reads only, in one pass. The caller's transaction must see one state throughout (on PostgreSQL REPEATABLE READ).
    """
    problems: list[str] = []
    checkpoints = _checkpoints(connection, key, held, problems)
    reading = _Reading(frozenset(one.size for one in checkpoints))
    for row in connection.execute(_everything().execution_options(yield_per=_AT_ONCE)):
        _take(reading, row)
    problems += reading.problems
    problems += _orphans(connection)
    problems += _head_problems(connection, reading.frontier)
    covered, unsigned = _against(checkpoints, reading)
    return Verified(reading.frontier.size, reading.frontier.root(), covered, reading.forgotten, problems + unsigned)


def _everything() -> Any:
    # Cast, because SQLite keeps whatever was put into a column, and a text there must not stop the audit.
    return (
        select(
            ENTRIES.c.idx,
            ENTRIES.c.tenant,
            ENTRIES.c.subject,
            cast(ENTRIES.c.leaf, LargeBinary).label("leaf"),
            cast(ENTRIES.c.leaf_hash, LargeBinary).label("leaf_hash"),
            BODIES.c.idx.label("body_idx"),
            cast(BODIES.c.salt, LargeBinary).label("salt"),
            cast(BODIES.c.body, LargeBinary).label("body"),
        )
        .select_from(ENTRIES.outerjoin(BODIES, ENTRIES.c.idx == BODIES.c.idx))
        .order_by(ENTRIES.c.idx)
    )


def _checkpoints(connection: Connection, key: Key, held: Iterable[str], problems: list[str]) -> list[Checkpoint]:
    """Every checkpoint whose signature holds, the shortest log first."""
    kept = connection.execute(select(CHECKPOINTS.c.size, CHECKPOINTS.c.note).order_by(CHECKPOINTS.c.size)).all()
    notes = [(f"checkpoint of size {row.size}", row.size, row.note) for row in kept]
    notes += [(f"checkpoint {number} held elsewhere", None, note) for number, note in enumerate(held, 1)]
    found = []
    for name, size, note in notes:
        try:
            told = read(note, key)
        except Untrusted as error:
            problems.append(f"{name}: {error.reason}")
            continue
        if size is not None and told.size != size:
            problems.append(f"{name}: the note under it is of size {told.size}")
        found.append(told)
    return sorted(found, key=lambda one: one.size)


def _take(reading: _Reading, row: Any) -> None:
    """One entry further. The tree grows by what the leaf really hashes to."""
    if row.idx > reading.next:
        last = row.idx - 1
        reading.problems.append(
            f"entry {last} is missing" if last == reading.next else f"entries {reading.next} to {last} are missing"
        )
    elif row.idx < reading.next:
        reading.problems.append(f"entry {row.idx} stands out of line")
    reading.next = max(reading.next, row.idx + 1)
    hashed = leaf_hash(row.leaf or b"")
    reading.problems += [f"entry {row.idx}: {text}" for text in _entry_problems(row, hashed)]
    reading.forgotten += row.body_idx is None
    reading.frontier = reading.frontier.append(hashed)
    if reading.frontier.size in reading.wanted:
        reading.roots[reading.frontier.size] = reading.frontier.root()


def _entry_problems(row: Any, hashed: bytes) -> list[str]:
    problems = [] if row.leaf_hash == hashed else ["its leaf is not what its hash is of"]
    leaf = _read_leaf(row.leaf or b"")
    if leaf is None:
        return [*problems, "its leaf is no entry"]
    if leaf.tenant != row.tenant:
        problems.append("it is kept under another tenant than its leaf says")
    if leaf.subject != row.subject:
        problems.append("it is kept under another subject than its leaf says")
    if row.body_idx is not None and not _fits(row.salt or b"", row.body or b"", leaf.commitment):
        problems.append("its body or salt is not what it was committed to")
    return problems


def _fits(salt: bytes, body: bytes, committed: str) -> bool:
    return len(salt) == SALT_BYTES and commitment(salt, body) == committed


def _read_leaf(leaf: bytes) -> _Leaf | None:
    """The leaf, when it is spelled the one way an entry is."""
    if len(leaf) > LARGEST_LEAF:
        return None
    try:
        read_back = msgspec.json.decode(leaf, type=_Leaf)
        spelled = rfc8785.dumps(msgspec.structs.asdict(read_back))
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    return read_back if read_back.format == FORMAT and spelled == leaf else None


def _orphans(connection: Connection) -> list[str]:
    query = select(BODIES.c.idx).where(BODIES.c.idx.not_in(select(ENTRIES.c.idx))).order_by(BODIES.c.idx)
    return [f"body {idx} belongs to no entry" for idx in connection.execute(query).scalars()]


def _head_problems(connection: Connection, frontier: Frontier) -> list[str]:
    columns = (cast(HEAD.c.frontier, LargeBinary).label("frontier"), cast(HEAD.c.root, LargeBinary).label("root"))
    rows = connection.execute(select(HEAD.c.id, HEAD.c.size, *columns)).all()
    if not rows:
        return ["the head is missing"] if frontier.size else []
    problems = [f"head {row.id} should not be there" for row in rows if row.id != 1]
    for row in rows:
        if row.size != frontier.size:
            problems.append(f"the head says {row.size} entries, there are {frontier.size}")
        elif (row.frontier, row.root) != (frontier.encoded(), frontier.root()):
            problems.append("the head is not that of the entries")
    return problems


def _against(checkpoints: list[Checkpoint], reading: _Reading) -> tuple[int, list[str]]:
    """How far checkpoints hold, and the first that does not; every longer one then falls with it."""
    good = 0
    for one in checkpoints:
        if one.size > reading.frontier.size:
            return good, [f"a checkpoint of size {one.size} was signed, {reading.frontier.size} entries are left"]
        if one.size and reading.roots[one.size] != one.root:
            return good, [f"entries {good} to {one.size - 1} are not those that were signed (checkpoint of size {one.size})"]
        good = one.size
    return good, []
