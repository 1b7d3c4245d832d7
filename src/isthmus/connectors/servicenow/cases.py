"""Keeps a case as a security incident: found by our key, one per key, written only when something changed."""

from __future__ import annotations

from collections.abc import Iterable

from isthmus.connectors.servicenow.config import SnowConfig
from isthmus.connectors.servicenow.session import Row, Session
from isthmus.connectors.servicenow.writing import (
    DUPLICATE,
    MARK,
    OUR_NOTE,
    cancelling,
    changes,
    checked_key,
    fields,
    mark_of,
    opening,
    orphaned,
)
from isthmus.contracts.wire import Outward
from isthmus.model.cases import Case, CaseRecord
from isthmus.model.errors import Refused, Unreachable

_MOST_RECORDS = 100
_MOST_NOTES = 50
_NOTE_FIELDS = ("sys_id", "element_id", "element", "value", "sys_created_on")


class SnowCases:
    """`CaseSink` over the Table API.

    `correlation_id` holds our key and `correlation_display` the version last written. ServiceNow has no unique
    constraint on either: we look, open, and look again, and of two records the older stays and the other is cancelled.
    """

    def __init__(self, config: SnowConfig, outward: Outward) -> None:
        self._config = config
        self._session = Session(config, outward)

    async def put(self, case: Case) -> CaseRecord:
        """Opens the case of this key, or brings it up to date; the same version again writes nothing.

        Fields, version and work note go in one change, so a version has its note once, whatever breaks off where; only a
        change ServiceNow carries out after we stopped waiting for it, and after we asked again, can repeat the note. A
        case people closed stays closed. Raises `Refused` when the account may not write what we need to find
        the case again, `Unreachable` when it is better to try later.
        """
        key = checked_key(case.key)
        mark_of(case)
        found, opened = await self._search(key), ""
        if not found:
            found, opened = await self._open(case)
        first = await self._brought_up_to_date(found[0], case)
        for other in found[1:]:
            await self._cancel(other, first)
        return self._record(first, created=first.sys_id == opened)

    async def read(self, key: str) -> CaseRecord | None:
        """The case of this key with the last work note people wrote and how they closed it; writes nothing."""
        found = await self._search(checked_key(key))
        if not found:
            return None
        words = (_closing(found[0]), await self._last_words(found[0]))
        return self._record(found[0], note="; ".join(text for text in words if text))

    async def _search(self, key: str) -> list[Row]:
        """The records of this key that count, the one that stays first."""
        return _in_order(await self._records(key))

    async def _records(self, key: str) -> list[Row]:
        """Every record of this key, those cancelled as duplicates too."""
        found = await self._session.rows(
            self._config.table, f"correlation_id={key}^ORDERBYsys_id", fields(self._config), _MOST_RECORDS
        )
        for row in found:
            self._check_searched(row, key)
        return [row for row in found if row.value("correlation_id") == key]

    def _check_searched(self, row: Row, key: str) -> None:
        """ServiceNow leaves out a condition it may not use and then finds everybody's records: never take one of those."""
        if row.value("correlation_id").casefold() != key.casefold():
            raise Refused(
                f"{self._config.origin}: a search by correlation_id in {self._config.table} finds other people's records; "
                "let this account read that column"
            )

    async def _open(self, case: Case) -> tuple[list[Row], str]:
        """The records of this key after opening one, and the sys_id of the one we opened."""
        try:
            made = await self._session.insert(self._config.table, opening(case, self._config))
        except Unreachable:
            # It may have been opened before the answer was lost. Sending it again could open a second one.
            found = await self._search(case.key)
            if not found:
                raise
            return found, found[0].sys_id
        if (made.value("correlation_id"), made.value("correlation_display")) != (case.key, mark_of(case)):
            await self._give_up(made)
        # What the search says of it is newer than the answer; a search that does not see it yet is no proof.
        records = {row.sys_id: row for row in (made, *await self._records(case.key))}
        return _in_order(records.values()), made.sys_id

    async def _give_up(self, made: Row) -> None:
        """We could never find this record again, and would open another at every turn."""
        number = made.value("number") or made.sys_id
        await self._session.update(self._config.table, made.sys_id, orphaned(self._config))
        raise Refused(
            f"{self._config.origin}: ServiceNow did not keep correlation_id and correlation_display of {number} in "
            f"{self._config.table}; let this account write and read both columns. {number} was cancelled"
        )

    async def _brought_up_to_date(self, row: Row, case: Case) -> Row:
        """The record at the version of the case, read back when something was written."""
        mark = mark_of(case)
        if row.value("correlation_display") == mark:
            return row
        answered = await self._session.update(self._config.table, row.sys_id, changes(row, case, self._config))
        if answered.value("correlation_display") != mark:
            raise Refused(
                f"{self._config.origin}: ServiceNow did not keep correlation_display of {row.value('number')} in "
                f"{self._config.table}; let this account write and read that column"
            )
        again = await self._session.one(self._config.table, row.sys_id, fields(self._config))
        if again.value("correlation_display") != mark:
            raise Unreachable(f"{self._config.origin}: {row.value('number')} does not yet read as it was written")
        return again

    async def _cancel(self, other: Row, first: Row) -> None:
        """Cancel what was opened twice; what people have closed themselves stays as they left it."""
        if other.value("active") != "false":
            await self._session.update(self._config.table, other.sys_id, cancelling(first, self._config))

    async def _last_words(self, row: Row) -> str:
        """The newest work note that is not ours; nothing when this account may not read the journal."""
        query = f"element_id={row.sys_id}^element=work_notes^ORDERBYDESCsys_created_on"
        try:
            notes = await self._session.rows("sys_journal_field", query, _NOTE_FIELDS, _MOST_NOTES)
        except Refused:
            return ""
        for note in notes:
            its_own = (note.value("element_id"), note.value("element")) == (row.sys_id, "work_notes")
            if its_own and not note.value("value").startswith(OUR_NOTE):
                return note.shown("value")
        return ""

    def _record(self, row: Row, created: bool = False, note: str = "") -> CaseRecord:
        state = self._config.states.get(row.value("state"), row.shown("state"))
        verdict = self._config.verdicts.get(row.value("close_code"))
        return CaseRecord(
            system="servicenow",
            id=row.sys_id,
            number=row.shown("number"),
            url=f"{self._config.origin}/nav_to.do?uri={self._config.table}.do?sys_id={row.sys_id}",
            state=state,
            version=row.value("correlation_display").removeprefix(MARK),
            created=created,
            verdict=verdict.value if verdict else "",
            assigned_to=row.shown("assigned_to"),
            note=note,
        )


def _in_order(rows: Iterable[Row]) -> list[Row]:
    """The oldest first, without cancelled duplicates. Every writer sees the same order: two never cancel each other's."""
    kept = (row for row in rows if not row.value("correlation_display").startswith(DUPLICATE))
    return sorted(kept, key=lambda row: (row.value("sys_created_on"), row.sys_id))


def _closing(row: Row) -> str:
    """How people closed it, in one line."""
    code, notes = row.shown("close_code"), row.shown("close_notes")
    if not code and not notes:
        return ""
    return f"closed as {code or 'no code'}" + (f": {notes}" if notes else "")
