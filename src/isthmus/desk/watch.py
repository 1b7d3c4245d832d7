"""The watchdog: looks at how things stand, says which promise is not kept, and calls somebody about it.

It runs beside the work and does none of it, so that work that stands still is seen. Several processes may watch one
database; one of them at a time calls people.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from time import monotonic

from sqlalchemy import Connection, delete, insert

from isthmus.desk import certificate, paging
from isthmus.desk.clocks import set_right
from isthmus.desk.instances import Instances
from isthmus.desk.look import Look, look
from isthmus.desk.paging import Pager, Pages
from isthmus.desk.promises import Bounds, Kept, Promise, blind, judged
from isthmus.desk.vitals import JUMP, Vitals
from isthmus.model.errors import IsthmusError
from isthmus.record import leases
from isthmus.record.leases import Lease
from isthmus.record.schema import SEGMENTS
from isthmus.record.store import Store, text_of

LOG = logging.getLogger("isthmus.watch")
EVERY = 10.0
"""Seconds between two turns of the watch."""
_FRESH = 5.0
_PROBED = 10.0
_LEASE = timedelta(seconds=60)
_NAME = "watch"
_SMALL, _LARGE = 4_096, 1 << 20
"""Bytes of a probe: little while all is well; once something could not be stored, as much as the largest delivery."""
INTAKE = "intake"


@dataclass(frozen=True, slots=True)
class Standing:
    """How things stand, as last seen. `look` is None when the database could not be asked."""

    look: Look | None
    promises: tuple[Promise, ...]

    @property
    def kept(self) -> bool:
        """Whether every promise is."""
        return all(one.kept for one in self.promises)

    @property
    def storing(self) -> bool:
        """Whether anything can be stored."""
        return all(one.kept for one in self.promises if one.name == INTAKE)


class Watch:
    """`stopped` says what stops effects (empty: nothing does). May be asked from any thread; `turn` belongs to one."""

    def __init__(
        self,
        store: Store,
        instances: Instances,
        stopped: Callable[[], str] = str,
        bounds: Bounds | None = None,
        pager: Pager | None = None,
        steady: Callable[[], float] = monotonic,
    ) -> None:
        self.vitals = Vitals(steady)
        self._store, self._instances, self._stopped, self._steady = store, instances, stopped, steady
        self._bounds, self._pager = bounds or Bounds(), pager or Pager()
        self._owner = secrets.token_hex(8)
        self._kept, self._pages, self._loaded, self._unwritten = Kept(), Pages(), False, False
        self._seen: tuple[float, Standing] | None = None
        self._probed: float | None = None
        self._went_back: bool | None = None
        self._held: Lease | None = None
        self._lock = Lock()

    def standing(self, now: datetime) -> Standing:
        """How things stand, at most a few seconds old: however often it is asked, the database is asked that seldom."""
        with self._lock:
            if self._seen is None or self._steady() - self._seen[0] >= _FRESH:
                self._seen = self._steady(), self._looked(now)
            return self._seen[1]

    def _looked(self, now: datetime) -> Standing:
        self._probe(now)
        try:
            seen = look(self._store, {one.tenant for one in self._instances.by_name.values()}, now)
        except IsthmusError as error:
            return Standing(None, self._kept.seen(blind(str(error), self.vitals), now))
        said = judged(seen, self.vitals, self._bounds, self._stopped(), self._instances.by_name)
        return Standing(seen, self._kept.seen(said, now))

    def _probe(self, now: datetime) -> None:
        """Whether something can be stored is seen by storing something."""
        if self._probed is not None and self._steady() - self._probed < _PROBED:
            return
        self._probed = self._steady()
        try:
            with self._store.adding() as connection:
                _stored_and_gone(connection, now, _LARGE if self.vitals.storing else _SMALL)
        except IsthmusError as error:
            self.vitals.stored(str(error))
        else:
            self.vitals.stored()

    async def turn(self, now: datetime) -> None:
        """Once: set clocks right, look, call people, certify the day. Raises nothing that the next turn cannot mend."""
        self._clocks(now)
        standing = self.standing(now)
        status = "ok" if standing.kept else "degraded"
        if standing.storing:
            await self._pager.beat(status, now, self._steady())
        if not self._ours():
            # What is open is kept by somebody else now, and read again should it be us once more.
            self._pages, self._loaded, self._unwritten = Pages(), False, False
            return
        self._remember()
        if await self._pages.follow(standing.promises, self._pager, now):
            self._unwritten = True
        self._write_down()
        if standing.look is not None and standing.storing:
            certificate.certify(self._store, now)

    def _clocks(self, now: datetime) -> None:
        """A clock that went back is seen while we run; one that went back while we did not, by what is on record."""
        jump = self.vitals.ticked(now)
        if jump is not None:
            LOG.error("the clock jumped by %.0f s", jump.by.total_seconds())
            self._went_back = True if jump.by < timedelta() else self._went_back
        if self._went_back is None:
            seen = self.standing(now).look
            self._went_back = None if seen is None else seen.signed.newest is not None and seen.signed.newest - now > JUMP
        if self._went_back:
            self._went_back = not set_right(self._store, now)

    def _ours(self) -> bool:
        """Whether it is us who call people. With the database gone everybody does: better twice than not at all."""
        try:
            with self._store.writing() as connection:
                self._held = leases.take(connection, _NAME, self._owner, _LEASE)
            return self._held is not None
        except IsthmusError as error:
            LOG.error("%s", error)
            return True

    def leave(self) -> None:
        """Nobody watches here any more: another may begin at once. Without this it may after a minute."""
        try:
            if self._held is not None:
                with self._store.writing() as connection:
                    leases.give_back(connection, self._held)
        except IsthmusError as error:
            LOG.error("%s", error)

    def _remember(self) -> None:
        """What was open before we began, or before somebody else stopped watching."""
        if self._loaded:
            return
        try:
            with self._store.reading() as connection:
                self._pages.open = {**paging.load(connection), **self._pages.open}
            self._loaded = True
        except IsthmusError as error:
            LOG.error("%s", error)

    def _write_down(self) -> None:
        if not self._unwritten or not self._loaded:
            return
        try:
            with self._store.writing() as connection:
                paging.keep(connection, self._pages.open)
            self._unwritten = False
        except IsthmusError as error:
            LOG.error("%s", error)


def _stored_and_gone(connection: Connection, now: datetime, size: int) -> None:
    """A row as intake stores it, and away with it in the same transaction: it takes space, and it is committed."""
    data = secrets.token_bytes(size)
    row = {"tenant": "default", "schema_version": 1, "at": text_of(now), "data": data}
    key = connection.execute(insert(SEGMENTS).values(**row)).inserted_primary_key
    assert key is not None  # noqa: S101 - an insert has a key
    connection.execute(delete(SEGMENTS).where(SEGMENTS.c.id == key[0]))
