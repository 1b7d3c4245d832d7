"""Analysts' words on which findings belong together."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, delete, insert, select

from isthmus.model.incidents import Pins
from isthmus.record.schema import PINS

WITH, APART = "with", "apart"


def of(connection: Connection, tenant: str) -> Pins:
    """Every word of a tenant."""
    rows = connection.execute(select(PINS).where(PINS.c.tenant == tenant).order_by(PINS.c.key)).all()
    together = tuple((row.key, row.other) for row in rows if row.how == WITH)
    return Pins(together, {row.key: row.other for row in rows if row.how == APART})


def put(connection: Connection, tenant: str, keys: Iterable[str], how: str, other: str) -> None:
    """The last word on a key counts: setting it apart ends that it was put together, and the other way round."""
    wanted = sorted(set(keys) - {other})
    if wanted:
        connection.execute(delete(PINS).where(PINS.c.tenant == tenant, PINS.c.key.in_(wanted)))
        connection.execute(insert(PINS), [{"tenant": tenant, "key": key, "how": how, "other": other} for key in wanted])
