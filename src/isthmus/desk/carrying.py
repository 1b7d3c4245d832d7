"""Carrying incidents on: claimed, most urgent first, several side by side, saved before and after everything outside.

A worker claims an incident with a lease and an epoch. It sends nothing once the lease has nearly run out, and saves
nothing once somebody else has a higher epoch; whoever takes over reads back what may have been done. What was only
thought is not saved by itself: it is thought again, and comes out the same.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from threading import Event

from structlog.contextvars import bound_contextvars as bound

from isthmus import pipeline
from isthmus.contracts.tracing import noted, span
from isthmus.contracts.wire import fenced
from isthmus.desk.saving import Change, change, listed, over, save_steps, set_aside
from isthmus.desk.together import Together
from isthmus.model.disposition import silence
from isthmus.model.errors import Unreachable, Untrusted
from isthmus.model.incidents import Incident, WordKind
from isthmus.pipeline import Parts
from isthmus.record import incidents
from isthmus.record.incidents import Claim, Stored
from isthmus.record.store import Store

LOG = logging.getLogger("isthmus.work")
_MOST_PASSES = 500
_SOON = timedelta(minutes=1)
_LOOK = 0.25
_THOUGHT = ("round.", "step.target", "step.decision", "step.preview", "step.added")
"""Changes that can be made again from what is stored; all others are saved at once."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How much at once and for how long. A claim holds for `lease`; nothing is sent in its last `margin`."""

    owner: str = "embedded"
    slots: int = 32
    lease: timedelta = timedelta(seconds=90)
    margin: timedelta = timedelta(seconds=30)


@dataclass(slots=True)
class _Hold:
    """A claim while it is worked on. `until` is by our own clock, counted from before it was asked for."""

    claim: Claim
    until: float


@dataclass(frozen=True, slots=True)
class Carrying:
    """`ticks` are seconds of a clock that never jumps."""

    store: Store
    parts: Parts
    together: Together
    ticks: Callable[[], float]
    pace: Pace = field(default_factory=Pace)
    told: Callable[[str], None] = LOG.info
    stopping: Event = field(default_factory=Event)
    _under_way: dict[tuple[str, str], _Hold] = field(default_factory=dict)

    async def carry(self, now: datetime) -> int:
        """Carry on everything that is due, until nothing is; how many there were."""
        began, renewed, total = self.ticks(), self.ticks(), 0
        tasks: set[asyncio.Task[None]] = set()
        try:
            while True:
                moment = now + timedelta(seconds=self.ticks() - began)
                for hold in await self._claimed(moment, len(tasks)):
                    tasks.add(asyncio.create_task(self._carried_on(hold, moment)))
                    total += 1
                if not tasks:
                    return total
                done, tasks = await asyncio.wait(tasks, timeout=_LOOK, return_when=asyncio.FIRST_COMPLETED)
                for one in done:
                    one.result()
                if self.ticks() - renewed > self.pace.lease.total_seconds() / 4:
                    renewed = self.ticks()
                    await self._renewed()
        finally:
            # Never cut off: a call that was sent is waited for.
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _claimed(self, moment: datetime, busy: int) -> list[_Hold]:
        """As many more as there are free slots, once it is worth a question."""
        free = self.pace.slots - busy
        if self.stopping.is_set() or (busy and free < self.pace.slots // 2):
            return []
        with self.store.reading() as connection:
            if not incidents.any_due(connection, moment):
                return []
        until = self.ticks() + self.pace.lease.total_seconds()
        pace, under_way = self.pace, set(self._under_way)
        claims = await self.together.write(
            lambda connection: incidents.claim(connection, pace.owner, pace.lease, moment, free, under_way)
        )
        holds = [_Hold(one, until) for one in claims]
        self._under_way.update(((one.claim.tenant, one.claim.id), one) for one in holds)
        return holds

    async def _renewed(self) -> None:
        until, holds = self.ticks() + self.pace.lease.total_seconds(), list(self._under_way.values())
        claims = [one.claim for one in holds]
        held = set(await self.together.write(lambda connection: incidents.renew(connection, self.pace.lease, claims)))
        for one in holds:
            if one.claim in held:
                one.until = until

    def _ours(self, hold: _Hold) -> None:
        if self.ticks() > hold.until - self.pace.margin.total_seconds():
            raise Unreachable("nothing is sent: this worker was away too long, and another may have the incident now")

    async def _carried_on(self, hold: _Hold, now: datetime) -> None:
        claim = hold.claim
        try:
            with fenced(lambda: self._ours(hold)), _about(claim.tenant, claim.id):
                await self._carry_on(claim, now)
        except Unreachable as error:
            LOG.info("incident %s: %s", claim.id, error)
            await self.together.write(lambda connection: incidents.release(connection, claim))
        # One incident that cannot be carried on holds up no other; it comes again later.
        except Exception:
            LOG.exception("incident %s cannot be carried on; tried again in %s", claim.id, _SOON)
            await self._postponed(claim, now)
        finally:
            self._under_way.pop((claim.tenant, claim.id), None)

    async def _postponed(self, claim: Claim, now: datetime) -> None:
        await self.together.write(lambda connection: incidents.release(connection, claim, now + _SOON))

    async def _carry_on(self, claim: Claim, now: datetime) -> None:
        """One incident until it waits or is done."""
        loaded = await self._loaded(claim, now)
        if loaded is None:
            return
        stored, changes = _awake(loaded, now), list[Change]()
        for _ in range(_MOST_PASSES):
            before = stored.incident
            after = before if over(stored) else await pipeline.advance(before, self.parts, now)
            if after is before:
                await self._rested(stored, changes, claim, now)
                return
            changes.append(change(before, after))
            stored = replace(stored, incident=after)
            if not changes[-1][0].startswith(_THOUGHT):
                stored, changes = await self._saved(stored, changes, claim, now), []
        LOG.error("incident %s does not come to rest", claim.id)
        await self._postponed(claim, now)

    async def _loaded(self, claim: Claim, now: datetime) -> Stored | None:
        """The incident as stored; None, once it is set aside, when somebody else changed its row."""
        try:
            with self.store.reading() as connection:
                return incidents.load(connection, self.store.keys, claim.tenant, claim.id)
        except Untrusted as error:
            LOG.error("incident %s: %s", claim.id, error)
            because = str(error)
            await self.together.write(lambda connection: set_aside(connection, claim.tenant, claim.id, because, now))
            return None

    async def _saved(self, stored: Stored, changes: list[Change], claim: Claim, now: datetime) -> Stored:
        keys = self.store.keys
        saved = await self.together.write(lambda connection: save_steps(connection, keys, stored, now, changes, claim))
        for event, _ in changes:
            noted(event)
            self.told(f"{claim.id}: {event}")
        return saved

    async def _rested(self, stored: Stored, changes: list[Change], claim: Claim, now: datetime) -> None:
        if changes:
            stored = await self._saved(stored, changes, claim, now)
        shown = listed(stored, now, None)
        await self.together.write(lambda connection: incidents.rest(connection, stored, shown, claim))


@contextmanager
def _about(tenant: str, incident: str) -> Iterator[None]:
    """What is logged and traced inside says which incident it is about."""
    with bound(tenant=tenant, incident=incident), span("incident.carry", (tenant, incident), tenant=tenant, incident=incident):
        yield


def _awake(stored: Stored, now: datetime) -> Stored:
    """A suppression or an accepted risk that has run out opens a round."""
    word = stored.incident.spoken(WordKind.SUPPRESS, WordKind.ACCEPT_RISK, WordKind.REOPEN, WordKind.VERDICT)
    ended = word is not None and word.until is not None and now >= word.until
    if word is None or not ended or silence(stored.incident, now) is not None or _said(stored.incident, word.at):
        return stored
    return replace(stored, incident=stored.incident.reopened(f"{word.kind.value.replace('_', ' ')} ended", now))


def _said(incident: Incident, since: datetime) -> bool:
    """Whether the end of the silence was already followed by a round."""
    return any(one.opened_at > since and one.opened_because.endswith(" ended") for one in incident.rounds)
