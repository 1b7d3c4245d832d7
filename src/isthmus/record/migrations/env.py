"""Runs migrations on the connection `record.store` hands over, inside its transaction."""

from __future__ import annotations

from alembic import context

# Tables of these belong to the schema.
import isthmus.record.ledger
import isthmus.record.links  # noqa: F401 - as above
from isthmus.record.schema import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA, render_as_batch=True)
context.run_migrations()
