"""ServiceNow's tables in memory: columns, numbers, sys_ids, the journal, and the rules that run on a write."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime

from isthmus.connectors.servicenow.simulated_query import Row

SYSTEM = ["sys_id", "sys_created_on", "sys_created_by", "sys_updated_on", "sys_updated_by", "sys_mod_count", "sys_class_name"]
_TASK = [
    "number",
    "active",
    "short_description",
    "description",
    "state",
    "priority",
    "severity",
    "impact",
    "urgency",
    "assignment_group",
    "assigned_to",
    "opened_by",
    "opened_at",
    "closed_at",
    "closed_by",
    "close_code",
    "close_notes",
    "correlation_id",
    "correlation_display",
    "work_notes",
    "comments",
    "category",
    "subcategory",
    "contact_type",
    "cmdb_ci",
    "parent",
]
_SECURITY = [
    "substate",
    "risk_score",
    "business_criticality",
    "attack_vector",
    "affected_user",
    "parent_security_incident",
    "change_request",
]
_ATTACHMENT = ["file_name", "table_name", "table_sys_id", "content_type", "size_bytes"]
JOURNALS = frozenset({"work_notes", "comments"})
REFERENCES = {"assignment_group": "sys_user_group", "assigned_to": "sys_user", "opened_by": "sys_user", "closed_by": "sys_user"}
STATES = {
    "sn_si_incident": {
        "10": "Draft",
        "16": "Analysis",
        "18": "Contain",
        "19": "Eradicate",
        "3": "Closed",
        "7": "Cancelled",
    },
    "incident": {"1": "New", "2": "In Progress", "3": "On Hold", "6": "Resolved", "7": "Closed", "8": "Canceled"},
}
_OVER = {"sn_si_incident": {"3", "7"}, "incident": {"7", "8"}}
_NUMBERS = {"sn_si_incident": "SIR", "incident": "INC"}
_LONGEST = {"short_description": 160, "correlation_id": 100, "correlation_display": 100, "description": 4_000}


class DataPolicy(Exception):
    """A write the instance's rules do not allow; the text is what the vendor would answer."""


class Tables:
    """Rows by table and sys_id. `columns` may be added to, as a customer would; `clock` tells the time of a write."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.clock = clock
        self.columns: dict[str, list[str]] = {
            "sn_si_incident": [*SYSTEM, *_TASK, *_SECURITY],
            "incident": [*SYSTEM, *_TASK],
            "sys_user": [*SYSTEM, "user_name", "name"],
            "sys_user_group": [*SYSTEM, "name"],
            "sys_journal_field": [*SYSTEM, "element_id", "element", "name", "value"],
            "sys_attachment": [*SYSTEM, *_ATTACHMENT],
        }
        self.rows: dict[str, dict[str, Row]] = {table: {} for table in self.columns}
        self._made = 0
        self._numbered = dict.fromkeys(_NUMBERS, 10_000)

    def insert(self, table: str, values: Mapping[str, str], by: str) -> Row:
        """A new row with every column; what is no column, or a column of the system's, is ignored."""
        self._made += 1
        row = dict.fromkeys(self.columns[table], "")
        now = self._now()
        row |= {"sys_id": hashlib.sha256(f"{table} {self._made}".encode()).hexdigest()[:32], "sys_class_name": table}
        row |= {"sys_created_on": now, "sys_created_by": by, "sys_updated_on": now, "sys_updated_by": by, "sys_mod_count": "0"}
        if table in _NUMBERS:
            self._numbered[table] += 1
            number = f"{_NUMBERS[table]}{self._numbered[table]:07d}"
            row |= {"number": number, "state": next(iter(STATES[table])), "active": "true", "priority": "4", "opened_at": now}
        self._write(table, row, values, by)
        self.rows[table][row["sys_id"]] = row
        return row

    def update(self, table: str, sys_id: str, values: Mapping[str, str], by: str) -> Row:
        """The row with these values, all of them or, when a rule objects, none."""
        before = self.rows[table][sys_id]
        row = dict(before)
        self._write(table, row, values, by)
        if row != before or any(values.get(name) for name in JOURNALS):
            row |= {"sys_updated_on": self._now(), "sys_updated_by": by, "sys_mod_count": str(int(row["sys_mod_count"]) + 1)}
        self.rows[table][sys_id] = row
        return row

    def shown(self, table: str, name: str, value: str) -> str:
        """What people see for a stored value."""
        if name == "state" and table in STATES:
            return STATES[table].get(value, value)
        if name in REFERENCES:
            return self.rows[REFERENCES[name]].get(value, {}).get("name", value)
        return value

    def _write(self, table: str, row: Row, values: Mapping[str, str], by: str) -> None:
        accepted = {name: text for name, text in values.items() if name in row and name not in (*SYSTEM, "number")}
        row |= {name: text[: _LONGEST.get(name, 65_536)] for name, text in accepted.items() if name not in JOURNALS}
        self._closed_rightly(table, row)
        for name in sorted(JOURNALS & accepted.keys()):
            if accepted[name]:
                entry = {"element_id": row["sys_id"], "element": name, "name": table, "value": accepted[name]}
                self.insert("sys_journal_field", entry, by)

    def _closed_rightly(self, table: str, row: Row) -> None:
        if table not in _OVER or row["state"] not in _OVER[table]:
            row |= {"active": "true"} if table in _OVER else {}
            return
        if STATES[table][row["state"]] == "Closed" and not (row["close_code"] and row["close_notes"]):
            raise DataPolicy("Data Policy Exception: the following fields are mandatory: Close code, Close notes")
        row |= {"active": "false", "closed_at": row["closed_at"] or self._now()}

    def _now(self) -> str:
        return self.clock().strftime("%Y-%m-%d %H:%M:%S")
