"""Runs migrations on the connection `record.store` hands over, inside its transaction."""

from __future__ import annotations

from alembic import context

import isthmus.record.ledger  # noqa: F401 - its tables belong to the schema
from isthmus.record.schema import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA, render_as_batch=True)
context.run_migrations()
