"""An installation that has been running for long: findings, incidents and words put straight into the database, as the
product itself would have written them.

What is left out is what a further alert never reads: the raw bytes of old deliveries and old entries of the ledger.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from bench.line_alerts import NOW, PER_ACCOUNT, account, findings
from sqlalchemy import Connection, insert

from isthmus.desk.ground import Ground
from isthmus.desk.naming import Names
from isthmus.desk.saving import listed
from isthmus.intake.correlate import correlate
from isthmus.intake.normalise import normalise
from isthmus.intake.tiers import gravity_text, tier_of
from isthmus.model.findings import Finding, short_hash
from isthmus.model.incidents import MOST_MEMBERS, STORY, Incident, Round
from isthmus.model.tellings import telling
from isthmus.record import findings as kept_findings
from isthmus.record import incidents, links
from isthmus.record.codec import encode
from isthmus.record.findings import Kept
from isthmus.record.incidents import NEW, Stored
from isthmus.record.schema import FINGERPRINTS, INCIDENTS
from isthmus.record.store import Store, text_of

TENANT, INSTANCE = "default", "wiz-main"
_BEFORE = NOW - timedelta(days=3)
_BLOCK = PER_ACCOUNT


def _exploited(_: str) -> bool:
    return False


def seed_findings(store: Store, count: int, mark: str) -> None:
    """So many findings, account by account, in the incidents they fold into; nothing of it wants to go on.

    `mark` is what the reader sorts by, so that it does not sort all of them again.
    """
    accounts = max(20, count // PER_ACCOUNT)
    each = count // accounts
    for number in range(accounts):
        block = [_stored_as(one, number) for one in findings(50_000 + number, each, 1)]
        with store.writing() as connection:
            _put(connection, store, block, mark)


def _stored_as(finding: Finding, number: int) -> Finding:
    home, asset = account(number), finding.asset
    ids = tuple(one.replace(account(0), home) for one in asset.ids)
    moved = replace(finding, asset=replace(asset, account=home, ids=ids), tenant=TENANT, instance=INSTANCE)
    return normalise(replace(moved, times=replace(moved.times, received=_BEFORE)))


def _put(connection: Connection, store: Store, block: Sequence[Finding], mark: str) -> None:
    groups = correlate(block, _exploited)
    kept = dict(_kept(groups, mark))
    kept_findings.save(connection, TENANT, kept, (), _BEFORE)
    ground = Ground(Names(connection, TENANT), _exploited)
    ground.add(kept)
    ground.look()
    held = {key: {replace(one, incident=kept[key].incident) for one in some} for key, some in ground.links().items()}
    links.save(connection, TENANT, {}, held)
    for group in groups:
        _incident(connection, store, group)
    connection.execute(insert(FINGERPRINTS), [_print(one) for one in block])


def _kept(groups: Sequence[Incident], mark: str) -> Iterator[tuple[str, Kept]]:
    for group in groups:
        for one in group.findings:
            place = one.asset.id, group.id, kept_findings.DONE, ""
            yield one.key, Kept(telling(one), *place, tier_of(one, _exploited), gravity_text(one), mark)


def _print(finding: Finding) -> dict[str, Any]:
    place = {"tenant": TENANT, "source": finding.source, "instance": INSTANCE}
    return {**place, "digest": secrets.token_bytes(32), "at": text_of(_BEFORE)}


def _incident(connection: Connection, store: Store, group: Incident) -> None:
    """A group on record, with nothing due. A fold shows the gravest and counts them all."""
    if group.scope != STORY:
        shown = sorted(group.members, key=lambda one: gravity_text(one.finding))[:MOST_MEMBERS]
        group = replace(group, members=tuple(shown), number=len(group.members))
    whole = replace(group, rounds=(Round(f"{group.size} findings", _BEFORE),))
    row = replace(listed(Stored(whole, NEW), _BEFORE, None), wake_at=None)
    incidents.save(connection, store.keys, Stored(whole, NEW), row)


def clone(store: Store, pattern: str, count: int) -> None:
    """So many more of an incident the product itself brought to where it is, each sealed under a name of its own, with
    findings and links of its own.
    """
    with store.reading() as connection:
        stored = incidents.load(connection, store.keys, TENANT, pattern)
        row = dict(connection.execute(INCIDENTS.select().where(INCIDENTS.c.id == pattern)).mappings().one())
        kept = kept_findings.by_keys(connection, TENANT, (one.key for one in stored.incident.findings))
    for start in range(0, count, 500):
        with store.writing() as connection:
            some = range(start, min(count, start + 500))
            _cloned(connection, store, stored, row, kept, some)


def _cloned(
    connection: Connection, store: Store, stored: Stored, row: dict[str, Any], kept: dict[str, Kept], numbers: range
) -> None:
    rows, more = [], dict[str, Kept]()
    for number in numbers:
        name = f"INC-{short_hash(stored.incident.id, str(number), length=16)}"
        copies = {key: _copied(one, number, name) for key, one in kept.items()}
        more.update({one.finding.key: one for one in copies.values()})
        members = encode(tuple((copies[one.finding.key].finding.key, one.because) for one in stored.incident.members))
        body = row["body"].replace(stored.incident.id.encode(), name.encode())
        sealed = incidents._sealed(TENANT, name, stored.revision, "", body, members)
        rows.append({**row, "id": name, "body": body, "members": members, "seal": store.keys.seal(*sealed)})
    kept_findings.save(connection, TENANT, more, (), _BEFORE)
    connection.execute(insert(INCIDENTS), rows)


def _copied(kept: Kept, number: int, incident: str) -> Kept:
    told = kept.finding
    asset = replace(told.asset, id="", ids=tuple(f"{one}{number:06x}" for one in told.asset.ids))
    finding = normalise(replace(told, source_id=f"{told.source_id[:-12]}{number:012d}", asset=asset))
    return replace(kept, telling=telling(finding), asset=finding.asset.id, incident=incident)
