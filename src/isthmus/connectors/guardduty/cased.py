"""One spelling for the two GuardDuty writes in.

Events and the S3 export say `accountId`; the API and everything built on an SDK says `AccountId`. The rest of this folder
speaks the first and never has to know which one it holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from isthmus.contracts.reading import flag, items, number, section, text, value_at, when, words

_ODD = {"sourceIPs": "SourceIps"}


@lru_cache(maxsize=512)
def _pascal(path: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(_ODD.get(key) or key[:1].upper() + key[1:] for key in path)


class Cased:
    """An object of a finding. Paths are given in lower camel case; errors name the key as it stands in the record."""

    __slots__ = ("pascal", "record")

    def __init__(self, record: Mapping[str, Any], pascal: bool) -> None:
        self.record = record
        self.pascal = pascal

    def __bool__(self) -> bool:
        return bool(self.record)

    def _path(self, path: tuple[str, ...]) -> tuple[str, ...]:
        return _pascal(path) if self.pascal else path

    def has(self, key: str) -> bool:
        return self._path((key,))[0] in self.record

    def text(self, *path: str) -> str:
        return text(self.record, *self._path(path))

    def flag(self, *path: str) -> bool | None:
        return flag(self.record, *self._path(path))

    def number(self, *path: str) -> float | None:
        return number(self.record, *self._path(path))

    def when(self, *path: str) -> datetime | None:
        return when(self.record, *self._path(path))

    def words(self, *path: str) -> tuple[str, ...]:
        return words(self.record, *self._path(path))

    def part(self, *path: str) -> Cased:
        return Cased(section(self.record, *self._path(path)), self.pascal)

    def parts(self, *path: str) -> list[Cased]:
        return [Cased(item, self.pascal) for item in items(self.record, *self._path(path))]

    def any(self, *path: str) -> Any:
        return value_at(self.record, *self._path(path))
