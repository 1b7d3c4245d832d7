"""The work that nobody has to ask for: read what came in, ask platforms back, pull what is new, carry incidents on.

Three things go on side by side, so that a platform that is slow to answer holds up nothing else: pulling, asking back,
and carrying incidents on. Each does what is due now and says when it wants to be called again. No state is held that is
not in the database: a process may die in any line of it.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from isthmus import pipeline
from isthmus.desk.instances import Instance, Instances
from isthmus.desk.reading import Reader
from isthmus.desk.saving import change, listed, over, save, set_aside
from isthmus.model.disposition import silence
from isthmus.model.errors import IsthmusError, Refused, Unreachable, Untrusted
from isthmus.model.findings import Finding
from isthmus.model.incidents import Incident, WordKind
from isthmus.pipeline import Parts
from isthmus.record import cursors, findings, inbox, incidents
from isthmus.record.inbox import API, ASKED, Handed
from isthmus.record.incidents import Stored
from isthmus.record.store import Store, moment_of

LOG = logging.getLogger("isthmus.work")
_AT_ONCE = 20
_MOST_PASSES = 500
_REFETCH = "refetch"
_PAGES_AT_ONCE = 10
_ASKED_AT_ONCE = 25
_ASK_AGAIN, _LONGEST = timedelta(seconds=10), timedelta(hours=1)
_GIVE_UP = timedelta(days=1)
_SOON = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Work:
    """Everything a turn needs. `every` is how often pulls are made."""

    store: Store
    parts: Parts
    instances: Instances
    reader: Reader
    every: timedelta = timedelta(seconds=30)
    told: Callable[[str], None] = LOG.info

    async def turn(self, now: datetime) -> datetime | None:
        """Everything that is due now, once. Returns when to come back: at once when more waits, None when only an event
        brings more.
        """
        times = [await self.pull(now), await self.carry(now), await self.ask(now), await self.carry(now)]
        return min((moment for moment in times if moment is not None), default=None)

    async def pull(self, now: datetime) -> datetime | None:
        """Ask every platform that can be asked what is new. As `turn`."""
        if await self._pull(now):
            return now
        return self._next(cursors.next_pull)

    async def ask(self, now: datetime) -> datetime | None:
        """Ask platforms back about what webhooks hinted at. As `turn`."""
        if await self._refetch(now):
            return now
        return self._next(findings.next_refetch)

    async def carry(self, now: datetime) -> datetime | None:
        """Read what came in, and carry on every incident that is due. As `turn`."""
        moved = await self._carry_on(now)
        # Last: whatever is wrong with what came in holds up nothing that is under way.
        if self._read(now) + moved:
            return now
        return self._next(incidents.next_wake)

    def _next(self, when: Callable[[Connection], str]) -> datetime | None:
        with self.store.reading() as connection:
            return moment_of(when(connection))

    def busy(self, now: datetime) -> bool:
        """Whether anything that came in or was said is still to be worked off; waiting for people or a clock is not."""
        with self.store.reading() as connection:
            to_ask = findings.to_refetch(connection, now, 1)
            return bool(inbox.depth(connection) or to_ask or incidents.due(connection, now + _SOON, 1))

    def _read(self, now: datetime) -> int:
        """Everything in the inbox, batch by batch."""
        total = 0
        while read := self.reader.read(now):
            total += read
        return total

    async def _pull(self, now: datetime) -> int:
        """What is new at the platforms that can be asked, page by page; the page and its cursor are kept together."""
        wanted = [
            self._pulled(instance, stream, now)
            for instance in self.instances.by_name.values()
            for stream in (instance.roles.pollable.streams if instance.roles.pollable is not None else ())
        ]
        return sum(await asyncio.gather(*wanted))

    async def _pulled(self, instance: Instance, stream: str, now: datetime) -> int:
        assert instance.roles.pollable is not None  # noqa: S101 - `_pull` saw to it
        place = instance.tenant, instance.connector.name, instance.name, stream
        with self.store.reading() as connection:
            cursor, due = cursors.read(connection, place)
        if due is not None and now < due:
            return 0
        for pages in range(_PAGES_AT_ONCE):
            try:
                page = await instance.roles.pollable.since(stream, cursor)
            except IsthmusError as error:
                with self.store.writing() as connection:
                    cursors.trouble(connection, place, cursor, str(error), now + self.every)
                LOG.warning("pull %s %s: %s", instance.name, stream, error)
                return pages
            with self.store.writing() as connection:
                inbox.accept(connection, [_handed(instance, stream, one, now) for one in page.payloads])
                cursors.advance(connection, place, page.cursor, now, now + self.every)
            cursor = page.cursor
            if not page.more:
                return pages + bool(page.payloads)
        return _PAGES_AT_ONCE

    async def _refetch(self, now: datetime) -> int:
        """Ask the platform about what a webhook hinted at."""
        with self.store.reading() as connection:
            wanted = findings.to_refetch(connection, now)
        by_instance: dict[str, list[tuple[str, str, Finding]]] = {}
        for one in wanted:
            by_instance.setdefault(one[2].instance, []).append(one)
        await asyncio.gather(*(self._asked_in_turn(several[:_ASKED_AT_ONCE], now) for several in by_instance.values()))
        return len(wanted)

    async def _asked_in_turn(self, wanted: Sequence[tuple[str, str, Finding]], now: datetime) -> None:
        """One platform is asked one thing after the other, as its rate allows; others meanwhile."""
        for tenant, key, finding in wanted:
            await self._asked(tenant, key, finding, now)

    async def _asked(self, tenant: str, key: str, finding: Finding, now: datetime) -> None:
        instance = self.instances.by_name.get(finding.instance)
        refetcher = instance.roles.refetcher if instance is not None else None
        state, said, again = findings.REFUSED, "this instance cannot be asked", now
        payloads: tuple[dict[str, Any], ...] = ()
        if instance is not None and refetcher is not None:
            try:
                payloads = await refetcher.refetch(finding.source_id)
                state, said = findings.DONE, ""
            except Refused as error:
                said = str(error)
            except IsthmusError as error:
                state, said, again = _later(finding, str(error), now)
        with self.store.writing() as connection:
            if instance is not None:
                inbox.accept(connection, [_handed(instance, _REFETCH, one, now) for one in payloads])
            findings.refetched(connection, tenant, key, state, said, again)

    async def _carry_on(self, now: datetime) -> int:
        """The gravest incidents that are due, side by side: one that waits for a slow platform holds up no other."""
        with self.store.reading() as connection:
            due = incidents.due(connection, now, _AT_ONCE)
        await asyncio.gather(*(self._carried_on(tenant, name, now) for tenant, name in due))
        return len(due)

    async def _carried_on(self, tenant: str, name: str, now: datetime) -> None:
        try:
            await self.carry_on(tenant, name, now)
        except Unreachable as error:
            LOG.info("incident %s: %s", name, error)
        # One incident that cannot be carried on holds up no other; it comes again later.
        except Exception:
            LOG.exception("incident %s cannot be carried on; tried again in %s", name, _SOON)
            with self.store.writing() as connection:
                incidents.postpone(connection, tenant, name, now + _SOON)

    def _loaded(self, tenant: str, name: str, now: datetime) -> Stored | None:
        """The incident as stored; None, once it is set aside, when somebody else changed its row."""
        try:
            with self.store.reading() as connection:
                return incidents.load(connection, self.store.keys, tenant, name)
        except Untrusted as error:
            LOG.error("incident %s: %s", name, error)
            with self.store.writing() as connection:
                set_aside(connection, tenant, name, str(error), now)
            return None

    async def carry_on(self, tenant: str, name: str, now: datetime) -> None:
        """One incident, saved after every step, until it waits or is done."""
        loaded = self._loaded(tenant, name, now)
        if loaded is None:
            return
        stored = self._awake(loaded, now)
        for _ in range(_MOST_PASSES):
            after = stored.incident if over(stored) else await self._advanced(stored.incident, now)
            with self.store.writing() as connection:
                if after is stored.incident:
                    incidents.rest(connection, stored, listed(stored, now, None))
                    return
                event, body = change(stored.incident, after)
                moved = replace(stored, incident=after)
                stored = save(connection, self.store.keys, moved, now, event, body, wake=now)
            self.told(f"{name}: {event}")
        LOG.error("incident %s does not come to rest", name)
        with self.store.writing() as connection:
            incidents.postpone(connection, tenant, name, now + _SOON)

    async def _advanced(self, incident: Incident, now: datetime) -> Incident:
        return await pipeline.advance(incident, self.parts, now)

    def _awake(self, stored: Stored, now: datetime) -> Stored:
        """A suppression or an accepted risk that has run out opens a round."""
        word = stored.incident.spoken(WordKind.SUPPRESS, WordKind.ACCEPT_RISK, WordKind.REOPEN, WordKind.VERDICT)
        ended = word is not None and word.until is not None and now >= word.until
        if word is None or not ended or silence(stored.incident, now) is not None or _said(stored.incident, word.at):
            return stored
        return replace(stored, incident=stored.incident.reopened(f"{word.kind.value.replace('_', ' ')} ended", now))


def _said(incident: Incident, since: datetime) -> bool:
    """Whether the end of the silence was already followed by a round."""
    return any(one.opened_at > since and one.opened_because.endswith(" ended") for one in incident.rounds)


def _handed(instance: Instance, stream: str, payload: object, now: datetime) -> Handed:
    body = json.dumps(payload, ensure_ascii=False, sort_keys=True).encode("utf-8", "surrogatepass")
    if stream == _REFETCH:
        # Heard after the hint it answers, even when both came at the same tick of the clock.
        channel, now = ASKED, now + timedelta(microseconds=1)
    else:
        channel = API
    return Handed(instance.tenant, instance.connector.name, instance.name, channel, f"{instance.name} {stream}", body, now)


def _later(finding: Finding, said: str, now: datetime) -> tuple[str, str, datetime]:
    """When to ask again about this finding; given up after a day, which leaves it an unconfirmed hint."""
    since = finding.times.received or now
    waited = now - since
    if waited > _GIVE_UP:
        return findings.REFUSED, f"given up after {_GIVE_UP.days} day: {said}", now
    return findings.WANTED, said, now + max(_ASK_AGAIN, min(waited, _LONGEST))
