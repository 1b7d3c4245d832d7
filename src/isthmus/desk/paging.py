"""Calling somebody when a promise is not kept, and saying when it is again: once, then at most every quarter of an hour.

What is open is on record in the database, so that a restart neither forgets nor repeats it. A message that could not be
delivered is sent again until it is; its key is the same every time, so that whoever receives it counts it once.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from isthmus.contracts.wire import Http
from isthmus.desk.promises import Promise
from isthmus.model.errors import IsthmusError, Refused
from isthmus.record.schema import PAGES
from isthmus.record.store import moment_of, text_of

LOG = logging.getLogger("isthmus.watch")
AGAIN = timedelta(minutes=15)
_BEAT = 60.0


@dataclass(frozen=True, slots=True)
class Way:
    """Where messages go: a path on a platform we speak to. The path may hold a secret."""

    http: Http
    path: str


@dataclass(frozen=True, slots=True)
class Page:
    """A promise that is not kept, since when, and when somebody was last told (None: not yet)."""

    promise: str
    since: datetime
    why: str
    paged_at: datetime | None = None

    def due(self, now: datetime) -> bool:
        """Whether to tell (again). A time that has not come yet was written by a clock that was set back since."""
        return self.paged_at is None or not self.paged_at <= now < self.paged_at + AGAIN


class Pager:
    """Sends pages and heartbeats. Without `pages` it only logs; without `beats` nobody hears that we are alive."""

    def __init__(self, source: str = "isthmus", pages: Way | None = None, beats: Way | None = None) -> None:
        self._source, self._pages, self._beats = source, pages, beats
        self._beaten: float | None = None

    async def call(self, page: Page, now: datetime) -> Page:
        """Tell that it is not kept. The page as told, or as it was when nobody could be reached."""
        LOG.error("not kept: %s: %s (since %s)", page.promise, page.why, text_of(page.since))
        return replace(page, paged_at=now) if await self._sent("trigger", page, now) else page

    async def end(self, page: Page, now: datetime) -> bool:
        """Tell that it is kept again; whether that arrived, or never can."""
        LOG.warning("kept again: %s (was not since %s)", page.promise, text_of(page.since))
        return await self._sent("resolve", page, now)

    async def beat(self, status: str, now: datetime, steady: float) -> None:
        """Once a minute: we are alive. What is missed is not caught up."""
        if self._beats is None or (self._beaten is not None and steady - self._beaten < _BEAT):
            return
        self._beaten = steady
        body = {"event": "heartbeat", "source": self._source, "status": status, "at": text_of(now)}
        try:
            await self._beats.http.request("POST", self._beats.path, json=body, repeatable=False)
        except IsthmusError as error:
            LOG.warning("heartbeat: %s", error)

    async def _sent(self, event: str, page: Page, now: datetime) -> bool:
        if self._pages is None:
            return True
        try:
            await self._pages.http.request("POST", self._pages.path, json=self._body(event, page, now), repeatable=True)
        except Refused as error:
            # Said again it would be refused again; the log has it, and the next page tries anew.
            LOG.error("page refused: %s", error)
        except IsthmusError as error:
            LOG.error("page not delivered, sent again: %s", error)
            return False
        return True

    def _body(self, event: str, page: Page, now: datetime) -> dict[str, Any]:
        return {
            "event": event,
            "dedup_key": f"{self._source}/{page.promise}/{text_of(page.since)}",
            "source": self._source,
            "severity": "critical",
            "summary": f"{page.promise}: {page.why}" if event == "trigger" else f"{page.promise}: kept again",
            "promise": page.promise,
            "why": page.why,
            "since": text_of(page.since),
            "at": text_of(now),
        }


class Pages:
    """What is open. Two looks in a row must agree before anybody is called: one slow moment is no outage."""

    def __init__(self) -> None:
        self.open: dict[str, Page] = {}
        self._suspected: dict[str, datetime] = {}

    async def follow(self, promises: Iterable[Promise], pager: Pager, now: datetime) -> bool:
        """Call and end what is to be. Returns whether anything of it changed."""
        broken = {one.name: one for one in promises if not one.kept and one.pages}
        sure = {name: one for name, one in broken.items() if name in self.open or name in self._suspected}
        self._suspected = {name: one.since for name, one in broken.items()}
        before = dict(self.open)
        for name, one in sure.items():
            page = replace(self.open.get(name, Page(name, one.since, one.why)), why=one.why)
            self.open[name] = await pager.call(page, now) if page.due(now) else page
        for name in [name for name in self.open if name not in broken]:
            if await pager.end(self.open[name], now):
                del self.open[name]
        return before != self.open


def load(connection: Connection) -> dict[str, Page]:
    """What was open when it was last written down."""
    rows = connection.execute(select(PAGES))
    return {row.promise: Page(row.promise, _moment(row.since), row.why, moment_of(row.paged_at)) for row in rows}


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def keep(connection: Connection, pages: Mapping[str, Page]) -> None:
    """Write down what is open, in the caller's transaction."""
    connection.execute(delete(PAGES))
    rows = [
        {"promise": one.promise[:200], "since": text_of(one.since), "why": one.why[:2_000], "paged_at": text_of(one.paged_at)}
        for one in pages.values()
    ]
    if rows:
        connection.execute(insert(PAGES), rows)
