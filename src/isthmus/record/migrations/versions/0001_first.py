"""The first schema."""

from __future__ import annotations

from alembic import op

import isthmus.record.ledger  # noqa: F401 - its tables belong to the schema
from isthmus.record.schema import METADATA

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Every table as it was first released. A later change of a table is a migration of its own, never an edit here."""
    METADATA.create_all(op.get_bind())
