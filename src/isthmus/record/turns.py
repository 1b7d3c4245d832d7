"""Whose turn it is in the inbox: what looks urgent overtakes, nobody starves, and no instance crowds out another.

Nothing here depends on how much waits: every question is answered from the front of an index.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, zip_longest

from sqlalchemy import Connection, func, select, union_all

from isthmus.record.schema import INBOX

MOST_URGENT = 3
_OLDEST = 4
"""One in so many of a batch is taken by age alone."""
_AT_ONCE = 100

Line = tuple[str, int]
"""One instance's deliveries of one urgency."""


def tenants(connection: Connection) -> list[str]:
    """Tenants with something in the inbox."""
    return _each(connection, None)


def chosen(connection: Connection, tenant: str, limit: int) -> list[int]:
    """Ids of the next deliveries of a tenant, at most `limit`, in the order of `ordered`."""
    return ordered(_lines(connection, tenant, _each(connection, tenant), limit), limit)


def ordered(lines: Mapping[Line, Sequence[int]], limit: int) -> list[int]:
    """The next of what waits in these lines, each line with its oldest first.

    Three quarters are the most urgent, among equals every instance in turn; one quarter is the oldest of every instance
    in turn, whatever it looks like. The quarter is spread over the batch.
    """
    instances = sorted({instance for instance, _ in lines})
    urgent = chain.from_iterable(
        _in_turn([lines.get((one, urgency), []) for one in instances]) for urgency in range(MOST_URGENT, -1, -1)
    )
    aged = [sorted(chain.from_iterable(lines.get((one, level), []) for level in range(MOST_URGENT + 1))) for one in instances]
    return _mixed(urgent, _in_turn(aged), limit)


def _mixed(urgent: Iterator[int], aged: Iterator[int], limit: int) -> list[int]:
    taken: dict[int, None] = {}
    while len(taken) < limit:
        source = aged if len(taken) % _OLDEST == _OLDEST - 1 else urgent
        one = next((found for found in source if found not in taken), None)
        if one is None:
            # Both lines hold the same deliveries: when one has come to its end, so has the other.
            break
        taken[one] = None
    return list(taken)


def _in_turn(lines: Sequence[Sequence[int]]) -> Iterator[int]:
    return (one for turn in zip_longest(*lines) for one in turn if one is not None)


def _each(connection: Connection, tenant: str | None) -> list[str]:
    """Tenants in the inbox, or the instances of one: each found by one step in the index, not by reading rows."""
    column = INBOX.c.tenant if tenant is None else INBOX.c.instance
    own = [] if tenant is None else [INBOX.c.tenant == tenant]
    found = select(func.min(column).label("one")).where(*own).cte("found", recursive=True)
    after = select(func.min(column)).where(*own, column > found.c.one).scalar_subquery()
    found = found.union_all(select(after).where(found.c.one.is_not(None)))
    return [str(one) for one in connection.execute(select(found.c.one)).scalars() if one is not None]


def _lines(connection: Connection, tenant: str, instances: Iterable[str], limit: int) -> dict[Line, list[int]]:
    """The oldest ids of every line, at most `limit` of each."""
    wanted = [(instance, urgency) for instance in instances for urgency in range(MOST_URGENT + 1)]
    lines: dict[Line, list[int]] = {}
    for start in range(0, len(wanted), _AT_ONCE):
        parts = []
        for instance, urgency in wanted[start : start + _AT_ONCE]:
            place = INBOX.c.tenant == tenant, INBOX.c.instance == instance, INBOX.c.urgency == urgency
            front = select(INBOX.c.id, INBOX.c.instance, INBOX.c.urgency).where(*place).order_by(INBOX.c.id).limit(limit)
            parts.append(select(front.subquery()))
        for row in connection.execute(union_all(*parts)):
            lines.setdefault((row.instance, row.urgency), []).append(row.id)
    return {line: sorted(ids) for line, ids in lines.items()}
