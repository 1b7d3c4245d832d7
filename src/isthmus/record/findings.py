"""Findings as they were told, where they were folded, and what still has to be asked of their platform."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.engine import Row

from isthmus.model.errors import Untrusted
from isthmus.model.findings import SCHEMA_VERSION, Finding
from isthmus.model.tellings import Telling
from isthmus.record.codec import decode, encode
from isthmus.record.schema import FINDINGS
from isthmus.record.store import text_of

LOG = logging.getLogger("isthmus.record")
NONE, WANTED, DONE, REFUSED = "none", "wanted", "done", "refused"


@dataclass(frozen=True, slots=True)
class Kept:
    """A finding on record: all that was told of it, the canonical id of its asset, and the incident it is in."""

    telling: Telling
    asset: str
    incident: str
    refetch: str = NONE
    refetch_said: str = ""

    @property
    def finding(self) -> Finding:
        """As it stands."""
        told = self.telling.finding()
        return told if told.asset.id == self.asset else replace(told, asset=replace(told.asset, id=self.asset))


def by_keys(connection: Connection, tenant: str, keys: Iterable[str]) -> dict[str, Kept]:
    """Those of these findings that are on record."""
    found: dict[str, Kept] = {}
    wanted = sorted(keys)
    for start in range(0, len(wanted), 500):
        chosen = FINDINGS.c.key.in_(wanted[start : start + 500])
        for row in connection.execute(select(FINDINGS).where(FINDINGS.c.tenant == tenant, chosen)):
            found[row.key] = _kept(row)
    return found


def every(connection: Connection, tenant: str) -> Iterator[tuple[str, Kept]]:
    """All findings of a tenant, by key."""
    for row in connection.execute(select(FINDINGS).where(FINDINGS.c.tenant == tenant)):
        try:
            yield row.key, _kept(row)
        except Untrusted as error:
            # Told again it is written anew; until then nothing can be said of it, and nothing else waits for it.
            LOG.error("%s", error)


def _kept(row: Row[tuple[object, ...]]) -> Kept:
    told = decode(row.telling, Telling, f"finding {row.key}")
    return Kept(told, row.asset, row.incident, row.refetch, row.refetch_said)


def save(connection: Connection, tenant: str, kept: Mapping[str, Kept], known: Iterable[str], at: datetime) -> None:
    """Write these findings; `known` are the keys that are on record already."""
    before = set(known)
    rows = [_row(tenant, key, one, at) for key, one in kept.items()]
    new = [row for row in rows if row["key"] not in before]
    if new:
        for row in new:
            connection.execute(delete(FINDINGS).where(FINDINGS.c.tenant == tenant, FINDINGS.c.key == row["key"]))
        connection.execute(insert(FINDINGS), [{**row, "refetch_at": text_of(at)} for row in new])
    for row in (one for one in rows if one["key"] in before):
        place = FINDINGS.c.tenant == tenant, FINDINGS.c.key == row["key"]
        connection.execute(update(FINDINGS).where(*place).values(**row))


def _row(tenant: str, key: str, kept: Kept, at: datetime) -> dict[str, object]:
    told = kept.telling.full or kept.telling.hint
    assert told is not None  # noqa: S101 - a telling is made from a finding
    return {
        **{"tenant": tenant, "key": key, "source": told.source, "instance": told.instance},
        **{"schema_version": SCHEMA_VERSION, "asset": kept.asset, "telling": encode(kept.telling)},
        **{"incident": kept.incident, "refetch": kept.refetch, "refetch_said": kept.refetch_said, "at": text_of(at)},
    }


def to_refetch(connection: Connection, now: datetime, limit: int = 200) -> Sequence[tuple[str, str, Finding]]:
    """Tenant, key and finding of what should be asked of its platform now."""
    due = FINDINGS.c.refetch == WANTED, FINDINGS.c.refetch_at <= text_of(now)
    rows = connection.execute(select(FINDINGS).where(*due).order_by(FINDINGS.c.refetch_at).limit(limit)).all()
    return [(row.tenant, row.key, _kept(row).finding) for row in rows]


def refetched(connection: Connection, tenant: str, key: str, state: str, said: str, again: datetime) -> None:
    """What came of asking."""
    place = FINDINGS.c.tenant == tenant, FINDINGS.c.key == key
    values = {"refetch": state, "refetch_said": said, "refetch_at": text_of(again)}
    connection.execute(update(FINDINGS).where(*place).values(**values))


def next_refetch(connection: Connection) -> str:
    """When the next one is due; empty for none."""
    rows = select(FINDINGS.c.refetch_at).where(FINDINGS.c.refetch == WANTED).order_by(FINDINGS.c.refetch_at).limit(1)
    return connection.execute(rows).scalar() or ""
