"""What findings have hold of, and which names belong to one thing: how a batch finds what it can change.

Names are kept by their hash: what platforms write has no length that an index could hold.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Index, Integer, String, Table, Text, delete, insert, select, update
from sqlalchemy.engine import Row

from isthmus.model.findings import short_hash
from isthmus.record.schema import METADATA

STRONG, WEAK = 1, 2
"""A finding has hold of the thing itself, or merely stands next to it."""
_AT_ONCE = 500

FINDING_LINKS = Table(
    "finding_links",
    METADATA,
    Column("tenant", String(64), primary_key=True),
    Column("name", String(32), primary_key=True),
    Column("key", String(700), primary_key=True),
    Column("how", Integer, nullable=False),
    Column("tier", Integer, nullable=False),
    Column("incident", String(64), nullable=False),
    Index("ix_finding_links_key", "tenant", "key"),
)
"""What a finding of weight has hold of or stands beside, by the hash of its name; `tier` and `incident` are the finding's."""

ASSET_NAMES = Table(
    "asset_names",
    METADATA,
    Column("tenant", String(64), primary_key=True),
    Column("name", String(32), primary_key=True),
    Column("other", String(32), primary_key=True),
    Column("told", Text, nullable=False),
)
"""Names some platform gave to one thing: the hash of one, that of another, and the other itself."""


@dataclass(frozen=True, slots=True, order=True)
class Link:
    """One row: what, how (`STRONG`, `WEAK` or both), and the tier and incident of the finding that has it."""

    name: str
    how: int
    tier: int
    incident: str


@lru_cache(maxsize=65_536)
def hashed(name: str) -> str:
    """A name as the tables know it."""
    return short_hash(name, length=32)


def chunks(values: Iterable[str]) -> Iterator[list[str]]:
    """All of them once, in order, in portions a database takes in one question."""
    ordered = sorted(set(values))
    for start in range(0, len(ordered), _AT_ONCE):
        yield ordered[start : start + _AT_ONCE]


def other_names(connection: Connection, tenant: str, names: Iterable[str]) -> list[tuple[str, str, str]]:
    """What was ever told to be the same thing as these hashes: hash, hash of the other, the other."""
    found: list[tuple[str, str, str]] = []
    for some in chunks(names):
        rows = select(ASSET_NAMES.c.name, ASSET_NAMES.c.other, ASSET_NAMES.c.told)
        wanted = rows.where(ASSET_NAMES.c.tenant == tenant, ASSET_NAMES.c.name.in_(some))
        found += [(row.name, row.other, row.told) for row in connection.execute(wanted)]
    return found


def learn(connection: Connection, tenant: str, pairs: Iterable[tuple[str, str]]) -> None:
    """Two names, told to be one thing. None of these pairs is on record yet."""
    rows = [
        {"tenant": tenant, "name": hashed(one), "other": hashed(other), "told": other}
        for pair in sorted(pairs)
        for one, other in (pair, pair[::-1])
    ]
    if rows:
        connection.execute(insert(ASSET_NAMES), rows)


def holders(connection: Connection, tenant: str, how: int, tier: int, names: Iterable[str]) -> set[str]:
    """Keys of findings that hold any of these hashes in this way and have one of these bits in their tier."""
    return {row.key for row in _rows(connection, tenant, how, tier, names, (FINDING_LINKS.c.key,))}


def beside(connection: Connection, tenant: str, tier: int, names: Iterable[str]) -> set[tuple[str, int, str]]:
    """Hash, tier and incident of what stands next to these hashes and has one of these bits in its tier."""
    columns = FINDING_LINKS.c.name, FINDING_LINKS.c.tier, FINDING_LINKS.c.incident
    return {(row.name, row.tier, row.incident) for row in _rows(connection, tenant, WEAK, tier, names, columns)}


def _rows(
    connection: Connection, tenant: str, how: int, tier: int, names: Iterable[str], columns: tuple[Column[Any], ...]
) -> Iterator[Row[Any]]:
    held = FINDING_LINKS.c.how.bitwise_and(how) != 0, FINDING_LINKS.c.tier.bitwise_and(tier) != 0
    for some in chunks(names):
        place = FINDING_LINKS.c.tenant == tenant, FINDING_LINKS.c.name.in_(some)
        # Not DISTINCT: SQLite would walk another index to have them in order.
        yield from connection.execute(select(*columns).where(*place, *held))


def of_keys(connection: Connection, tenant: str, keys: Iterable[str]) -> dict[str, set[Link]]:
    """Every row of these findings."""
    found: dict[str, set[Link]] = {}
    for some in chunks(keys):
        for row in connection.execute(select(FINDING_LINKS).where(*_place(tenant, some))):
            found.setdefault(row.key, set()).add(Link(row.name, row.how, row.tier, row.incident))
    return found


def moved(connection: Connection, tenant: str, keys: list[str], incident: str) -> None:
    """These findings are in that incident now."""
    connection.execute(update(FINDING_LINKS).where(*_place(tenant, keys)).values(incident=incident))


def save(connection: Connection, tenant: str, before: Mapping[str, Collection[Link]], after: Mapping[str, set[Link]]) -> None:
    """Bring the rows of these findings from what they were to what they are."""
    changed = [key for key in before.keys() | after.keys() if set(before.get(key, ())) != after.get(key, set())]
    for some in chunks(key for key in changed if before.get(key)):
        connection.execute(delete(FINDING_LINKS).where(*_place(tenant, some)))
    rows = [
        {"tenant": tenant, "key": key, "name": one.name, "how": one.how, "tier": one.tier, "incident": one.incident}
        for key in sorted(changed)
        for one in sorted(after.get(key, ()))
    ]
    if rows:
        connection.execute(insert(FINDING_LINKS), rows)


def _place(tenant: str, keys: list[str]) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return FINDING_LINKS.c.tenant == tenant, FINDING_LINKS.c.key.in_(keys)
