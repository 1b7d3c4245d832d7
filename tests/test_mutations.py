"""Two thousand payloads gone wrong: findings or rejections, conservation, a document that can be written.

`make fuzz` runs 20,000.
"""

from __future__ import annotations

import msgspec
from tests.mutating import mutated
from tests.telling import documented, triaged

from isthmus.answer.page import page


def test_whatever_comes_is_counted_and_reported() -> None:
    bodies = list(mutated(2_000, seed=7))
    done = triaged(bodies)
    assert done.counts.seen == done.counts.stored + done.counts.duplicate + done.counts.rejected
    assert done.counts.seen >= len(bodies) * 0.9
    document = documented(done)
    msgspec.json.encode(document)
    assert "<script" not in page(document)
