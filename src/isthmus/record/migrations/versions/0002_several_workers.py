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
    _pages()


def _inbox() -> None:
    op.add_column("inbox", sa.Column("urgency", sa.Integer(), nullable=False, server_default="0"))
    op.create_index("ix_inbox_urgency", "inbox", ["tenant", "urgency", "id"], unique=False)


def _incidents() -> None:
    op.add_column("incidents", sa.Column("urgency", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("incidents", sa.Column("owner", sa.String(length=64), nullable=False, server_default=""))
    op.add_column("incidents", sa.Column("epoch", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("incidents", sa.Column("owned_until", sa.BigInteger(), nullable=False, server_default="0"))


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
