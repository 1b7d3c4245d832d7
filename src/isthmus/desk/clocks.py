"""After the clock went back: whatever was to go on at a time that is now far ahead goes on at once.

Waking something early is harmless, since everything asks again before it does anything; waking it late is not. What
people agreed to is not woken but ended: a question that seems to have been asked later than now is void.
"""

from __future__ import annotations

import logging
from datetime import datetime

from sqlalchemy import update

from isthmus.model.errors import IsthmusError
from isthmus.record.findings import WANTED
from isthmus.record.schema import CURSORS, FINDINGS, INCIDENTS
from isthmus.record.store import Store, text_of

LOG = logging.getLogger("isthmus.watch")


def set_right(store: Store, now: datetime) -> bool:
    """Every pull, question to a platform and incident that waits for a time is due now. False when it must be tried again."""
    at = text_of(now)
    asked = FINDINGS.c.refetch == WANTED, FINDINGS.c.refetch_at > at
    try:
        with store.writing() as connection:
            connection.execute(update(CURSORS).where(CURSORS.c.next_at > at).values(next_at=at))
            connection.execute(update(FINDINGS).where(*asked).values(refetch_at=at))
            connection.execute(update(INCIDENTS).where(INCIDENTS.c.wake_at > at).values(wake_at=at))
    except IsthmusError as error:
        LOG.error("timers not yet set right after the clock went back: %s", error)
        return False
    return True
