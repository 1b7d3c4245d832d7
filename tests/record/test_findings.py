"""Questions about findings are answered from an index: what they cost is what they bring."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event

from isthmus.record import findings, links
from isthmus.record.links import STRONG, hashed
from isthmus.record.store import Store, open_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path)
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("ask", "index"),
    [
        (lambda at: findings.on_assets(at, "default", [hashed("a"), hashed("b")], 0, 10), "ix_findings_place"),
        (lambda at: findings.on_assets(at, "default", [hashed("a")], 15, 10), "ix_findings_place"),
        (lambda at: findings.in_incidents(at, "default", ["INC-1", "INC-2"], 10), "ix_findings_members"),
        (lambda at: findings.gravest(at, "default", "INC-1", 200), "ix_findings_members"),
        (lambda at: findings.marked(at, "default", "mark", 10), "ix_findings_sorted"),
        (lambda at: findings.readable(at, "default", ["k1", "k2"]), "sqlite_autoindex_findings"),
        (lambda at: links.holders(at, "default", STRONG, 15, [hashed("a"), hashed("b")]), "sqlite_autoindex_finding_links"),
        (lambda at: links.beside(at, "default", 8, [hashed("a"), hashed("b")]), "sqlite_autoindex_finding_links"),
        (lambda at: links.of_keys(at, "default", ["k1", "k2"]), "ix_finding_links_key"),
        (lambda at: links.other_names(at, "default", [hashed("a")]), "sqlite_autoindex_asset_names"),
    ],
)
def test_a_question_goes_by_the_index_made_for_it(store: Store, ask: Callable[[Connection], object], index: str) -> None:
    asked: list[tuple[str, Any]] = []
    event.listen(store._engine, "before_cursor_execute", lambda *given: asked.append((given[2], given[3])))
    with store.reading() as connection:
        ask(connection)
        statement, values = asked[-1]
        plan = " ".join(str(row) for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values))
    assert index in plan
    assert "SCAN" not in plan
