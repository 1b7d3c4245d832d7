"""Every table, in SQLAlchemy Core. Those of the ledger stand in `ledger`; Alembic's migrations build them all.

Every row has a tenant; what came through a connector has its source and instance; what holds one of our nouns has the
schema version it was written in. Times are ISO 8601 text in UTC, which sorts as it should on every database.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, MetaData, String, Table, Text

METADATA = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)


def _tenant() -> Column[str]:
    return Column("tenant", String(64), nullable=False)


def _from() -> tuple[Column[str], Column[str]]:
    return Column("source", String(64), nullable=False), Column("instance", String(64), nullable=False)


SEGMENTS = Table(
    "segments",
    METADATA,
    Column("id", Integer, primary_key=True),
    _tenant(),
    Column("schema_version", Integer, nullable=False),
    Column("at", String(40), nullable=False, index=True),
    Column("data", LargeBinary, nullable=False),
)
"""Raw deliveries of one tenant, compressed together as they came in."""

INBOX = Table(
    "inbox",
    METADATA,
    Column("id", Integer, primary_key=True),
    _tenant(),
    *_from(),
    Column("channel", String(16), nullable=False),
    Column("name", String(200), nullable=False),
    Column("segment", Integer, nullable=False),
    Column("position", Integer, nullable=False),
    Column("at", String(40), nullable=False),
    Column("urgency", Integer, nullable=False, server_default="0"),
    Index("ix_inbox_urgency", "tenant", "urgency", "id"),
    Index("ix_inbox_share", "tenant", "instance", "urgency", "id"),
)
"""Deliveries acknowledged and not yet read. `channel` is webhook (a hint), api or asked (the platform's own answer to us);
`urgency` what its bytes look like before anybody read them: it decides who is read first and nothing else.
"""

FINGERPRINTS = Table(
    "fingerprints",
    METADATA,
    Column("tenant", String(64), primary_key=True),
    Column("source", String(64), primary_key=True),
    Column("instance", String(64), primary_key=True),
    Column("digest", LargeBinary(32), primary_key=True),
    Column("at", String(40), nullable=False, index=True),
)
"""What was delivered before, byte for byte."""

COUNTS = Table(
    "counts",
    METADATA,
    Column("tenant", String(64), primary_key=True),
    Column("source", String(64), primary_key=True),
    Column("instance", String(64), primary_key=True),
    *(Column(name, Integer, nullable=False, default=0) for name in ("deliveries", "repeated")),
    *(Column(name, Integer, nullable=False, default=0) for name in ("seen", "stored", "duplicate", "rejected")),
)

REJECTIONS = Table(
    "rejections",
    METADATA,
    Column("id", Integer, primary_key=True),
    _tenant(),
    *_from(),
    Column("delivery", String(200), nullable=False),
    Column("position", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", String(40), nullable=False, index=True),
)

FINDINGS = Table(
    "findings",
    METADATA,
    Column("tenant", String(64), primary_key=True),
    Column("key", String(700), primary_key=True),
    *_from(),
    Column("schema_version", Integer, nullable=False),
    Column("asset", Text, nullable=False),
    Column("telling", LargeBinary, nullable=False),
    Column("incident", String(64), nullable=False, index=True),
    Column("refetch", String(16), nullable=False),
    Column("refetch_at", String(40), nullable=False),
    Column("refetch_said", Text, nullable=False),
    Column("at", String(40), nullable=False),
    Column("place", String(32), nullable=False, server_default=""),
    Column("tier", Integer, nullable=False, server_default="0"),
    Column("gravity", String(40), nullable=False, server_default=""),
    Column("sorted_by", String(20), nullable=False, server_default=""),
    Index("ix_findings_refetch", "refetch", "refetch_at"),
    Index("ix_findings_place", "tenant", "place", "tier"),
    Index("ix_findings_members", "tenant", "incident", "gravity"),
    Index("ix_findings_sorted", "tenant", "sorted_by"),
)
"""`refetch` is none, wanted, done or refused; `asset` the canonical id of its asset and `place` its short hash; `incident`
where it was folded. `tier` is what it weighs by itself (`intake.tiers`), `gravity` sorts the gravest first and is empty
for one that is closed, `sorted_by` names the rules and lists these were worked out with.
"""

INCIDENTS = Table(
    "incidents",
    METADATA,
    Column("tenant", String(64), primary_key=True),
    Column("id", String(64), primary_key=True),
    Column("schema_version", Integer, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("state", String(32), nullable=False),
    Column("priority", String(16), nullable=False),
    Column("score", Integer, nullable=False),
    Column("assignee", String(64), nullable=False),
    Column("merged_into", String(64), nullable=False),
    Column("opened_at", String(40), nullable=False),
    Column("changed_at", String(40), nullable=False),
    Column("wake_at", String(40), nullable=False),
    Column("title", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("members", LargeBinary, nullable=False),
    Column("seal", LargeBinary(32), nullable=False),
    Column("urgency", Integer, nullable=False, server_default="0"),
    Column("owner", String(64), nullable=False, server_default=""),
    Column("epoch", Integer, nullable=False, server_default="0"),
    Column("owned_until", BigInteger, nullable=False, server_default="0"),
    Column("number", Integer, nullable=False, server_default="0"),
    Index("ix_incidents_wake", "wake_at", "score"),
    Index("ix_incidents_due", "tenant", "urgency", "wake_at"),
    Index("ix_incidents_queue", "tenant", "state", "score"),
    Index("ix_incidents_since", "state", "changed_at"),
)
"""`wake_at` empty is: nothing to do until somebody says something. The other columns repeat what is in `body`, for
looking things up; what is believed is the sealed `body` and `members`. `owner`, `epoch` and `owned_until` (milliseconds
by the database's clock) say which worker carries it on just now. `number` is how many findings a fold has in all, of
which `members` are the gravest.
"""

EFFECTS = Table(
    "effects",
    METADATA,
    Column("token", String(64), primary_key=True),
    _tenant(),
    Column("incident", String(64), nullable=False),
    Column("ability", String(64), nullable=False),
    Column("handle", Text, nullable=False),
    Column("connector", String(64), nullable=False),
    Column("account", String(128), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("state", String(16), nullable=False),
    Column("at", String(40), nullable=False, index=True),
    Column("number", Integer, nullable=False, server_default="0", index=True),
    Index("ix_effects_place", "tenant", "ability", "handle"),
)
"""What we did outside: intended, in_place, failed or undone. The guard counts here; `number` is the order of intents."""

PINS = Table(
    "pins",
    METADATA,
    Column("tenant", String(64), primary_key=True),
    Column("key", String(700), primary_key=True),
    Column("how", String(16), primary_key=True),
    Column("other", String(700), nullable=False),
    Index("ix_pins_other", "tenant", "other"),
)
"""An analyst's word on where a finding belongs: `with` another finding, or `apart` in an incident of its own."""

CURSORS = Table(
    "cursors",
    METADATA,
    Column("tenant", String(64), primary_key=True),
    Column("source", String(64), primary_key=True),
    Column("instance", String(64), primary_key=True),
    Column("stream", String(64), primary_key=True),
    Column("cursor", Text, nullable=False),
    Column("at", String(40), nullable=False),
    Column("next_at", String(40), nullable=False),
    Column("trouble", Text, nullable=False),
)

PEOPLE = Table(
    "people",
    METADATA,
    Column("tenant", String(64), primary_key=True),
    Column("id", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("role", String(16), nullable=False),
    Column("human", Boolean, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("at", String(40), nullable=False),
    Column("seal", LargeBinary(32), nullable=False),
)

KEYS = Table(
    "keys",
    METADATA,
    Column("id", String(32), primary_key=True),
    _tenant(),
    Column("person", String(64), nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
    Column("at", String(40), nullable=False),
    Column("expires_at", String(40), nullable=False),
    Column("revoked_at", String(40), nullable=False),
    Column("seal", LargeBinary(32), nullable=False),
)
"""API keys: only their SHA-256 is here (256 random bits need no slow hash)."""

ANSWERS = Table(
    "answers",
    METADATA,
    Column("tenant", String(64), primary_key=True),
    Column("person", String(64), primary_key=True),
    Column("key", String(128), primary_key=True),
    Column("request", LargeBinary(32), nullable=False),
    Column("status", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("at", String(40), nullable=False, index=True),
)
"""What was answered to a write that carried an Idempotency-Key."""

GRANTS = Table(
    "grants",
    METADATA,
    Column("bundle", String(64), primary_key=True),
    _tenant(),
    Column("person", String(64), nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", String(40), nullable=False),
    Column("revoked_at", String(40), nullable=False),
    Column("seal", LargeBinary(32), nullable=False),
)
"""Policy bundles a person has put into force, by digest. A bundle nobody granted is not asked."""

LEASES = Table(
    "leases",
    METADATA,
    Column("name", String(200), primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("until", BigInteger, nullable=False),
)
"""Which worker does what only one may do at a time, until when (milliseconds by the database's clock)."""

PAGES = Table(
    "pages",
    METADATA,
    Column("promise", String(200), primary_key=True),
    Column("since", String(40), nullable=False),
    Column("why", Text, nullable=False),
    Column("paged_at", String(40), nullable=False),
)
"""Promises that are not kept and that somebody was, or is to be, paged about (`paged_at` empty: not yet)."""

WITNESSED = Table(
    "ledger_witnessed",
    METADATA,
    Column("witness", String(256), primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("note", Text, nullable=False),
    Column("at", String(40), nullable=False),
    Column("lost", BigInteger, nullable=False),
    Column("trouble", Text, nullable=False),
)
"""The newest checkpoint each witness signed, with its signature; -1 in `lost`, or the size of a longer or other history
of this log that it has seen; and why it did not sign the last time it was asked.
"""
