"""Many rows at once, past the statement builder: the one place on the way of a delivery where its cost per row counts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Row, Table

_AT_ONCE = 500
"""Rows in a statement: databases bound the number of values in one."""


def insert_rows(
    connection: Connection, table: Table, names: tuple[str, ...], rows: Sequence[tuple[Any, ...]], tail: str = ""
) -> list[Row[Any]]:
    """Insert these rows of these columns, in this order. Returns what a `RETURNING` in the tail tells of them."""
    told: list[Row[Any]] = []
    for start in range(0, len(rows), _AT_ONCE):
        some = rows[start : start + _AT_ONCE]
        text = _text(connection.dialect.name, table.name, names, len(some), tail)
        done = connection.exec_driver_sql(text, tuple(value for row in some for value in row))
        if done.returns_rows:
            told += done.all()
    return told


@cache
def _text(dialect: str, table: str, names: tuple[str, ...], number: int, tail: str) -> str:
    # Names are those of our own tables; every value is bound.
    row = f"({', '.join(['?' if dialect == 'sqlite' else '%s'] * len(names))})"
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES {', '.join([row] * number)} {tail}"  # noqa: S608
