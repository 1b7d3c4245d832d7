"""Analysts' words on which findings belong together."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.engine import Row

from isthmus.model.incidents import Pins
from isthmus.record import findings
from isthmus.record.links import chunks
from isthmus.record.schema import FINDINGS, INCIDENTS, PINS

WITH, APART = "with", "apart"


def of(connection: Connection, tenant: str) -> Pins:
    """Every word of a tenant."""
    return _pins(connection.execute(select(PINS).where(PINS.c.tenant == tenant)).all())


def touching(connection: Connection, tenant: str, keys: Iterable[str]) -> Pins:
    """Every word on one of these findings, or on another that was put together with one of them."""
    found: set[Row[Any]] = set()
    for some in chunks(keys):
        for column in (PINS.c.key, PINS.c.other):
            found.update(connection.execute(select(PINS).where(PINS.c.tenant == tenant, column.in_(some))).all())
    return _pins(found)


def set_apart(connection: Connection, tenant: str) -> frozenset[str]:
    """Incidents an analyst made by setting findings apart."""
    rows = select(PINS.c.other).where(PINS.c.tenant == tenant, PINS.c.how == APART).distinct()
    return frozenset(connection.execute(rows).scalars())


def _pins(rows: Iterable[Row[Any]]) -> Pins:
    ordered = sorted((row.key, row.other, row.how) for row in rows)
    together = tuple((key, other) for key, other, how in ordered if how == WITH)
    return Pins(together, {key: other for key, other, how in ordered if how == APART})


def put(connection: Connection, tenant: str, keys: Iterable[str], how: str, other: str) -> None:
    """The last word on a key counts: setting it apart ends that it was put together, and the other way round.

    The findings are in their new incident at once; what has more findings than are shown has so many fewer.
    """
    wanted = sorted(set(keys) - {other})
    if not wanted:
        return
    for some in chunks(wanted):
        connection.execute(delete(PINS).where(PINS.c.tenant == tenant, PINS.c.key.in_(some)))
    connection.execute(insert(PINS), [{"tenant": tenant, "key": key, "how": how, "other": other} for key in wanted])
    into = other if how == APART else _incident_of(connection, tenant, other)
    for some in chunks(wanted):
        _fewer(connection, tenant, some, into)
    findings.moved(connection, tenant, wanted, into)


def _incident_of(connection: Connection, tenant: str, key: str) -> str:
    row = select(FINDINGS.c.incident).where(FINDINGS.c.tenant == tenant, FINDINGS.c.key == key)
    return connection.execute(row).scalar() or ""


def _fewer(connection: Connection, tenant: str, keys: list[str], into: str) -> None:
    """What leaves a fold is no longer counted there; what joins one is."""
    open_ones = FINDINGS.c.tenant == tenant, FINDINGS.c.key.in_(keys), FINDINGS.c.gravity != "", FINDINGS.c.incident != into
    counted = select(FINDINGS.c.incident, func.count()).where(*open_ones).group_by(FINDINGS.c.incident)
    left = {str(row[0]): int(row[1]) for row in connection.execute(counted)}
    for name, number in {**{name: -number for name, number in left.items()}, into: sum(left.values())}.items():
        place = INCIDENTS.c.tenant == tenant, INCIDENTS.c.id == name, INCIDENTS.c.number > 0
        connection.execute(update(INCIDENTS).where(*place).values(number=INCIDENTS.c.number + number))
