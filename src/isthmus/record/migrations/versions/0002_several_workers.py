"""Several workers on one database: who carries an incident on, who reads for a tenant, and what goes first."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Columns with defaults, so that what is stored stays as it is."""
    _inbox()
    _incidents()
    _leases()
    _effects()
    _neighbourhoods()
    _pages()
    _witnessed()


def _inbox() -> None:
    op.add_column("inbox", sa.Column("urgency", sa.Integer(), nullable=False, server_default="0"))
    op.create_index("ix_inbox_urgency", "inbox", ["tenant", "urgency", "id"], unique=False)


def _incidents() -> None:
    op.add_column("incidents", sa.Column("urgency", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("incidents", sa.Column("owner", sa.String(length=64), nullable=False, server_default=""))
    op.add_column("incidents", sa.Column("epoch", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("incidents", sa.Column("owned_until", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_index("ix_incidents_due", "incidents", ["tenant", "urgency", "wake_at"], unique=False)


def _leases() -> None:
    op.create_table(
        "leases",
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_leases"),
    )


def _pages() -> None:
    op.create_index("ix_incidents_since", "incidents", ["state", "changed_at"], unique=False)
    op.create_table(
        "pages",
        sa.Column("promise", sa.String(length=200), nullable=False),
        sa.Column("since", sa.String(length=40), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("paged_at", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("promise", name="pk_pages"),
    )


def _witnessed() -> None:
    op.create_table(
        "ledger_witnessed",
        sa.Column("witness", sa.String(length=256), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("at", sa.String(length=40), nullable=False),
        sa.Column("lost", sa.BigInteger(), nullable=False),
        sa.Column("trouble", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("witness", name="pk_ledger_witnessed"),
    )


def _neighbourhoods() -> None:
    """What lets a batch be folded by its neighbourhood; filled for what is stored when it is first read."""
    op.add_column("findings", sa.Column("place", sa.String(length=32), nullable=False, server_default=""))
    op.add_column("findings", sa.Column("tier", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("findings", sa.Column("gravity", sa.String(length=40), nullable=False, server_default=""))
    op.add_column("findings", sa.Column("sorted_by", sa.String(length=20), nullable=False, server_default=""))
    op.create_index("ix_findings_place", "findings", ["tenant", "place", "tier"], unique=False)
    op.create_index("ix_findings_members", "findings", ["tenant", "incident", "gravity"], unique=False)
    op.create_index("ix_findings_sorted", "findings", ["tenant", "sorted_by"], unique=False)
    op.add_column("incidents", sa.Column("number", sa.Integer(), nullable=False, server_default="0"))
    op.create_index("ix_inbox_share", "inbox", ["tenant", "instance", "urgency", "id"], unique=False)
    op.create_index("ix_pins_other", "pins", ["tenant", "other"], unique=False)
    op.create_table(
        "finding_links",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("key", sa.String(length=700), nullable=False),
        sa.Column("how", sa.Integer(), nullable=False),
        sa.Column("tier", sa.Integer(), nullable=False),
        sa.Column("incident", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "name", "key", name="pk_finding_links"),
    )
    op.create_index("ix_finding_links_key", "finding_links", ["tenant", "key"], unique=False)
    op.create_table(
        "asset_names",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("other", sa.String(length=32), nullable=False),
        sa.Column("told", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "name", "other", name="pk_asset_names"),
    )


def _effects() -> None:
    op.add_column("effects", sa.Column("number", sa.Integer(), nullable=False, server_default="0"))
    op.create_index("ix_effects_number", "effects", ["number"], unique=False)
