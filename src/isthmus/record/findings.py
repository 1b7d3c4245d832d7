"""Findings as they were told, where they were folded, and what still has to be asked of their platform."""

from __future__ import annotations

import logging
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update
from sqlalchemy.engine import Row

from isthmus.model.errors import Untrusted
from isthmus.model.findings import SCHEMA_VERSION, Finding
from isthmus.model.tellings import Telling
from isthmus.record import links
from isthmus.record.codec import decode, encode
from isthmus.record.links import chunks, hashed
from isthmus.record.schema import FINDINGS, INCIDENTS
from isthmus.record.store import text_of

LOG = logging.getLogger("isthmus.record")
NONE, WANTED, DONE, REFUSED = "none", "wanted", "done", "refused"
_BY_KEY = func.coalesce(FINDINGS.c.key, "")
"""Not the column itself: SQLite would walk all keys in order rather than sort the few that are wanted."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A finding on record: all that was told of it, the canonical id of its asset, and the incident it is in.

    `tier` is what it weighs by itself and `gravity` sorts the gravest first, empty when it is closed; `sorted_by` names
    what these were worked out with.
    """

    telling: Telling
    asset: str
    incident: str
    refetch: str = NONE
    refetch_said: str = ""
    tier: int = 0
    gravity: str = ""
    sorted_by: str = ""

    @property
    def finding(self) -> Finding:
        """As it stands."""
        told = self.telling.finding()
        return told if told.asset.id == self.asset else replace(told, asset=replace(told.asset, id=self.asset))


def by_keys(connection: Connection, tenant: str, keys: Iterable[str]) -> dict[str, Kept]:
    """Those of these findings that are on record. Raises `Untrusted` when one cannot be read."""
    found: dict[str, Kept] = {}
    for some in chunks(keys):
        for row in connection.execute(select(FINDINGS).where(FINDINGS.c.tenant == tenant, FINDINGS.c.key.in_(some))):
            found[row.key] = _kept(row)
    return found


def readable(connection: Connection, tenant: str, keys: Iterable[str]) -> dict[str, Kept]:
    """As `by_keys`, leaving out what cannot be read."""
    found: dict[str, Kept] = {}
    for some in chunks(keys):
        chosen = FINDINGS.c.tenant == tenant, FINDINGS.c.key.in_(some)
        found.update(_readable(connection.execute(select(FINDINGS).where(*chosen))))
    return found


def on_assets(
    connection: Connection, tenant: str, places: Iterable[str], tier: int, most: int, but: Container[str] = ()
) -> dict[str, Kept]:
    """Open findings on the assets of these hashes that have one of these bits in their tier; with 0, every open one.

    At most about so many, always the same ones; `but` those the caller has.
    """
    weighty = [FINDINGS.c.tier.bitwise_and(tier) != 0] if tier else []
    found: dict[str, Kept] = {}
    for some in chunks(places):
        chosen = FINDINGS.c.tenant == tenant, FINDINGS.c.place.in_(some), FINDINGS.c.gravity != "", *weighty
        rows = select(FINDINGS).where(*chosen).order_by(_BY_KEY).limit(max(most - len(found), 1))
        found.update(_readable(connection.execute(rows), but))
    return found


def in_incidents(
    connection: Connection, tenant: str, names: Iterable[str], most: int, but: Container[str] = ()
) -> dict[str, Kept]:
    """Open findings in these incidents; as `on_assets`."""
    found: dict[str, Kept] = {}
    for some in chunks(names):
        chosen = FINDINGS.c.tenant == tenant, FINDINGS.c.incident.in_(some), FINDINGS.c.gravity != ""
        rows = select(FINDINGS).where(*chosen).order_by(_BY_KEY).limit(max(most - len(found), 1))
        found.update(_readable(connection.execute(rows), but))
    return found


def gravest(connection: Connection, tenant: str, incident: str, most: int) -> list[str]:
    """Keys of the gravest open findings in an incident, the gravest first."""
    place = FINDINGS.c.tenant == tenant, FINDINGS.c.incident == incident, FINDINGS.c.gravity != ""
    rows = select(FINDINGS.c.key).where(*place).order_by(FINDINGS.c.gravity, FINDINGS.c.key).limit(most)
    return list(connection.execute(rows).scalars())


def numbers(connection: Connection, tenant: str) -> dict[str, int]:
    """How many open findings each incident has. Counts every row: for once."""
    rows = select(FINDINGS.c.incident, func.count()).where(FINDINGS.c.tenant == tenant, FINDINGS.c.gravity != "")
    return {str(row[0]): int(row[1]) for row in connection.execute(rows.group_by(FINDINGS.c.incident))}


def orphans(connection: Connection, tenant: str, state: str, most: int) -> list[str]:
    """Keys of open findings in incidents that are in this state."""
    named = select(INCIDENTS.c.id).where(INCIDENTS.c.tenant == tenant, INCIDENTS.c.state == state)
    found: list[str] = []
    for some in chunks(connection.execute(named).scalars()):
        place = FINDINGS.c.tenant == tenant, FINDINGS.c.incident.in_(some), FINDINGS.c.gravity != ""
        rows = select(FINDINGS.c.key).where(*place).order_by(_BY_KEY).limit(most - len(found))
        found += connection.execute(rows).scalars()
    return found


def other_marks(connection: Connection, tenant: str, ours: Sequence[str]) -> bool:
    """Whether any finding was sorted by something else than these."""
    row = select(FINDINGS.c.key).where(FINDINGS.c.tenant == tenant, FINDINGS.c.sorted_by.not_in(ours)).limit(1)
    return connection.execute(row).first() is not None


def following(connection: Connection, tenant: str, after: str, most: int) -> dict[str, Kept | None]:
    """The next findings by key; None for one that cannot be read."""
    rows = select(FINDINGS).where(FINDINGS.c.tenant == tenant, FINDINGS.c.key > after).order_by(FINDINGS.c.key).limit(most)
    every = connection.execute(rows).all()
    return {**dict.fromkeys(row.key for row in every), **dict(_readable(every))}


def marked(connection: Connection, tenant: str, mark: str, most: int) -> dict[str, Kept]:
    """Findings sorted by exactly this mark."""
    rows = select(FINDINGS).where(FINDINGS.c.tenant == tenant, FINDINGS.c.sorted_by == mark)
    return dict(_readable(connection.execute(rows.order_by(_BY_KEY).limit(most))))


def _readable(rows: Iterable[Row[Any]], but: Container[str] = ()) -> Iterator[tuple[str, Kept]]:
    for row in (one for one in rows if one.key not in but):
        try:
            yield row.key, _kept(row)
        except Untrusted as error:
            # Told again it is written anew; until then nothing can be said of it, and nothing else waits for it.
            LOG.error("%s", error)


def _kept(row: Row[Any]) -> Kept:
    told = decode(row.telling, Telling, f"finding {row.key}")
    place = row.asset, row.incident, row.refetch, row.refetch_said
    return Kept(told, *place, row.tier, row.gravity, row.sorted_by)


def save(connection: Connection, tenant: str, kept: Mapping[str, Kept], known: Iterable[str], at: datetime) -> None:
    """Write these findings; `known` are the keys that are on record already."""
    before = set(known)
    rows = [_row(tenant, key, one, at) for key, one in sorted(kept.items())]
    new = [{**row, "refetch_at": text_of(at)} for row in rows if row["key"] not in before]
    if new:
        for some in chunks(str(row["key"]) for row in new):
            connection.execute(delete(FINDINGS).where(FINDINGS.c.tenant == tenant, FINDINGS.c.key.in_(some)))
        connection.execute(insert(FINDINGS), new)
    _update(connection, [row for row in rows if row["key"] in before])


def settle(connection: Connection, tenant: str, kept: Mapping[str, Kept]) -> None:
    """Write where these findings are and what they weigh; nothing of what was told or asked."""
    names = "asset", "place", "incident", "tier", "gravity", "sorted_by"
    whole = [(key, _placed(one)) for key, one in sorted(kept.items())]
    _update(connection, [{"tenant": tenant, "key": key, **{name: row[name] for name in names}} for key, row in whole])


def marks(connection: Connection, tenant: str, keys: Iterable[str], mark: str) -> None:
    """Name what these were sorted by."""
    for some in chunks(keys):
        place = FINDINGS.c.tenant == tenant, FINDINGS.c.key.in_(some)
        connection.execute(update(FINDINGS).where(*place).values(sorted_by=mark))


def moved(connection: Connection, tenant: str, keys: Iterable[str], incident: str) -> None:
    """These findings are in that incident now."""
    for some in chunks(keys):
        place = FINDINGS.c.tenant == tenant, FINDINGS.c.key.in_(some)
        connection.execute(update(FINDINGS).where(*place).values(incident=incident))
        links.moved(connection, tenant, some, incident)


def _update(connection: Connection, rows: Sequence[dict[str, object]]) -> None:
    """Rows with the same columns, each by its tenant and key."""
    if not rows:
        return
    values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in rows[0] if name not in {"tenant", "key"}}
    place = FINDINGS.c.tenant == bindparam("new_tenant"), FINDINGS.c.key == bindparam("new_key")
    given = [{f"new_{name}": value for name, value in row.items()} for row in rows]
    connection.execute(update(FINDINGS).where(*place).values(**values), given)


def _row(tenant: str, key: str, kept: Kept, at: datetime) -> dict[str, object]:
    told = kept.telling.full or kept.telling.hint
    assert told is not None  # noqa: S101 - a telling is made from a finding
    return {
        **{"tenant": tenant, "key": key, "source": told.source, "instance": told.instance},
        **{"schema_version": SCHEMA_VERSION, "telling": encode(kept.telling), "at": text_of(at)},
        **{"refetch": kept.refetch, "refetch_said": kept.refetch_said, **_placed(kept)},
    }


def _placed(kept: Kept) -> dict[str, object]:
    return {
        **{"asset": kept.asset, "place": hashed(kept.asset), "incident": kept.incident},
        **{"tier": kept.tier, "gravity": kept.gravity, "sorted_by": kept.sorted_by},
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
