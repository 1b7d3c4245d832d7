"""An installation of an earlier schema, with everything in it, opened by this one: on both databases."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import URL, Engine, MetaData, create_engine, insert, select
from tests.databases import Server
from tests.desk.site import BEN, HOST, PROD, PROD_HOST, Site, attack

from isthmus.record import store

FIRST = "0001"


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest) -> Iterator[URL | None]:
    """None for a file, or a PostgreSQL database with nothing in it."""
    if request.param == "sqlite":
        yield None
        return
    server: Server = request.getfixturevalue("postgresql")
    url = server.empty()
    yield url
    server.drop(url)


def _lived(folder: Path) -> Site:
    """One containment in place, one that waits for people, a case of each."""
    site = Site(folder)
    site.deliver(attack())
    site.deliver(attack(PROD, PROD_HOST, 2, indicators=()))
    site.settle()
    return site


def _as_first(engine: Engine, source: Engine) -> None:
    """The schema as it was first released, with the rows of `source` in the columns it had."""
    config = Config()
    config.set_main_option("script_location", str(Path(store.__file__).parent / "migrations"))
    then = MetaData()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, FIRST)
        then.reflect(connection)
        with source.connect() as reading:
            for table in then.tables.values():
                if table.name != "alembic_version":
                    rows = [dict(row) for row in reading.execute(select(table)).mappings()]
                    if rows:
                        connection.execute(insert(table), rows)


def test_what_an_earlier_version_left_goes_on(tmp_path: Path, empty: URL | None) -> None:
    before, folder = _lived(tmp_path / "before"), tmp_path / "after"
    shutil.copytree(tmp_path / "before" / "keys", folder / "keys")
    (folder / "kill").mkdir()
    old = create_engine(empty or f"sqlite+pysqlite:///{folder / 'isthmus.db'}")
    source = create_engine(f"sqlite+pysqlite:///{tmp_path / 'before' / 'isthmus.db'}")
    _as_first(old, source)
    old.dispose()
    source.dispose()
    before.store.close()
    site = Site(folder, database=empty)
    site.dev.groups, site.prod.groups = {HOST: "empty"}, {PROD_HOST: "web"}
    site.settle()
    views = {view.state: view for row in site.desk.queue(BEN, {}) for view in [site.desk.incident(BEN, row.id, site.now)]}
    assert set(views) == {"contained", "waiting_for_approval"}
    assert (site.dev.writes, site.prod.writes) == ([], [])
    contained = views["contained"]
    site.words.order_undo(BEN, contained.id, "aws.isolate_instance", HOST, "the drill is over", site.now)
    site.settle()
    assert site.dev.writes == [f"restore {HOST}"]
    assert not site.desk.verify_record().problems
    site.store.close()
