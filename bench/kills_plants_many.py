"""Planted bugs that only show where several work on one database, or where the database goes away."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

from bench.kills_plant import Plant, Sown, swap
from bench.kills_watch import JUMP, STOP
from sqlalchemy import select, update

from isthmus.desk.carrying import Carrying
from isthmus.desk.desk import Desk
from isthmus.desk.reading import Reader
from isthmus.desk.words import Words
from isthmus.model.errors import Unreachable
from isthmus.record import inbox, incidents, leases
from isthmus.record.leases import Lease
from isthmus.record.schema import INBOX, INCIDENTS

_DAY = timedelta(days=1)


def _before_claims(change: Any) -> None:
    """Something else happens to the claims of others right before somebody makes one."""

    def make(plain: Any) -> Any:
        def claim(connection: Any, owner: str, *given: Any) -> Any:
            change(connection, owner)
            return plain(connection, owner, *given)

        return claim

    swap(incidents, "claim", make)


def _claim_ignores_lease(_: Sown) -> None:
    _before_claims(lambda connection, _: connection.execute(update(INCIDENTS).values(owned_until=0)))


def _kept_for_ever(_: Sown) -> None:
    def kept(connection: Any, owner: str) -> None:
        clock = leases.clock(connection)
        others = INCIDENTS.c.owner != owner, INCIDENTS.c.owned_until > 0, INCIDENTS.c.owned_until <= clock
        connection.execute(update(INCIDENTS).where(*others).values(owned_until=clock + _DAY.total_seconds() * 1000))

    _before_claims(kept)


def _save_over(_: Sown) -> None:
    def make(plain: Any) -> Any:
        def save(connection: Any, keys: Any, stored: Any, listed: Any, *_: Any) -> Any:
            place = INCIDENTS.c.tenant == stored.incident.tenant, INCIDENTS.c.id == stored.incident.id
            there = connection.execute(select(INCIDENTS.c.revision).where(*place)).scalar() or 0
            return plain(connection, keys, replace(stored, revision=there), listed)

        return save

    swap(incidents, "save", make)


def _fence_not_asked(_: Sown) -> None:
    swap(Carrying, "_ours", lambda _: lambda *_: None)


def _wall_clock(own: Sown) -> None:
    swap(leases, "clock", lambda plain: lambda connection: plain(connection) + int(own.jumped * 3_600_000))


def _release_first(_: Sown) -> None:
    def make(plain: Any) -> Any:
        async def saved(self: Carrying, stored: Any, changes: Any, claim: Any, now: Any) -> Any:
            await self.together.write(lambda connection: incidents.release(connection, claim))
            return await plain(self, stored, changes, claim, now)

        return saved

    swap(Carrying, "_saved", make)


def _reading_unclaimed(_: Sown) -> None:
    def slow(plain: Any) -> Any:
        def claims(self: Reader, *given: Any) -> Any:
            time.sleep(0.3)
            return plain(self, *given)

        return claims

    def taken(plain: Any) -> Any:
        def take(connection: Any, name: str, owner: str, length: Any) -> Any:
            return Lease(name, owner, 0) if name.startswith("reading") else plain(connection, name, owner, length)

        return take

    def done(connection: Any, ids: Any) -> None:
        connection.execute(INBOX.delete().where(INBOX.c.id.in_(ids)))

    swap(Reader, "_claims", slow)
    swap(leases, "take", taken)
    swap(leases, "confirm", lambda plain: lambda one, held: None if held.name.startswith("reading") else plain(one, held))
    swap(inbox, "done", lambda _: done)


def _accepted_when_away(_: Sown) -> None:
    def make(plain: Any) -> Any:
        def accept(self: Desk, deliveries: Any) -> Any:
            try:
                return plain(self, deliveries)
            except Unreachable:
                return [True for _ in deliveries]

        return accept

    swap(Desk, "accept", make)


def _yes_when_away(_: Sown) -> None:
    def make(plain: Any) -> Any:
        def approve(self: Words, *given: Any) -> None:
            with suppress(Unreachable):
                plain(self, *given)

        return approve

    swap(Words, "approve", make)


_CALLS = ("before|POST /api", "before|aws Modify", "before|PATCH", "before|aws")
_MADE = ("after|aws Modify", "after|POST /api", "after|PATCH", "after|aws")
_TWO = "several"
MANY: dict[str, Plant] = {
    "claim-ignores-lease": Plant("a claim takes what others hold", _claim_ignores_lease, _CALLS, _TWO, together=True),
    "kept-for-ever": Plant("what the dead held is never taken over", _kept_for_ever, _MADE, _TWO),
    "save-over": Plant("neither epoch nor revision is asked about on a save", _save_over, _MADE, _TWO, STOP),
    "fence-not-asked": Plant("nobody asks whether it is still ours before it is sent", _fence_not_asked, _CALLS, _TWO, STOP),
    "wall-clock": Plant(
        "leases are counted by the clock of the machine", _wall_clock, ("commit claim", *_CALLS), _TWO, JUMP, together=True
    ),
    "release-first": Plant("it is let go of before it is saved", _release_first, _CALLS, _TWO, together=True),
    "reading-unclaimed": Plant("two read the same at once", _reading_unclaimed, _CALLS, _TWO, together=True),
    "accepted-when-away": Plant(
        "202 is said when nothing could be stored", _accepted_when_away, ("before|commit delivery", "before|accept"), "outage"
    ),
    "yes-when-away": Plant(
        "a yes is taken for said when it could not be stored", _yes_when_away, ("before|commit approval",), "outage"
    ),
}
