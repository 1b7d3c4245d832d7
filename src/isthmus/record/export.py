"""The record as lines for a SIEM: every entry below a checkpoint, and every checkpoint as a line of its own.

Each line carries the log's origin, the entry's index and leaf hash, and the size of the checkpoint that covers it, so
that whoever holds the lines sees gaps and repeats, and holds what the record can be checked against later.

`jsonl` is ours. `ocsf` is OCSF 1.6, class Entity Management (3004): an entry says that an actor did something to a thing
of ours, and no more; Incident Finding (2005) would need what an incident is about, which the log does not hold on
purpose, and API Activity (6003) an endpoint it came from, which an entry has not.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, select

from isthmus import __version__
from isthmus.record.checkpoints import Key
from isthmus.record.ledger import CHECKPOINTS, ENTRIES

OCSF_VERSION = "1.6.0"
_AT_ONCE = 500
_ENTITY_MANAGEMENT, _IAM = 3004, 3
_CREATE, _UPDATE, _DELETE = 1, 3, 4
_ACTIVITIES = {_CREATE: "Create", _UPDATE: "Update", _DELETE: "Delete"}
_LAST_WORDS = {"added": _CREATE, "new": _CREATE, "opened": _CREATE, "deleted": _DELETE, "revoked": _DELETE}


class Form(StrEnum):
    """How a line is written."""

    JSONL = "jsonl"
    OCSF = "ocsf"


@dataclass(frozen=True, slots=True)
class Batch:
    """Lines, each ending in a newline, and where to go on once they are safe."""

    lines: bytes
    next: int


def batches(connection: Connection, key: Key, since: int, form: Form) -> Iterator[Batch]:
    """Everything from entry `since` on that stands below a checkpoint, in order; a checkpoint follows its entries.

    The caller's transaction sees one state throughout. `since` is 0 or what a batch said.
    """
    columns = CHECKPOINTS.c.size, CHECKPOINTS.c.note
    signed = select(*columns).where(CHECKPOINTS.c.size > since).order_by(CHECKPOINTS.c.size)
    written = _written if form is Form.JSONL else _as_ocsf
    pending: list[dict[str, Any]] = []
    for size, note in connection.execute(signed).all():
        while since < size:
            end = min(size, since + _AT_ONCE)
            pending += _entries(connection, key, since, end, size)
            since = end
            if since == size:
                pending.append(_checkpoint(key, size, note, pending[-1]["leaf"]["at"]))
            if len(pending) >= _AT_ONCE:
                yield _batch(pending, since, written)
                pending = []
    if pending:
        yield _batch(pending, since, written)


def _batch(pending: list[dict[str, Any]], since: int, written: Any) -> Batch:
    lines = [json.dumps(written(one), ensure_ascii=False, separators=(",", ":"), sort_keys=True) for one in pending]
    return Batch("".join(f"{line}\n" for line in lines).encode(), since)


def _entries(connection: Connection, key: Key, start: int, end: int, size: int) -> Iterator[dict[str, Any]]:
    wanted = select(ENTRIES.c.idx, ENTRIES.c.leaf, ENTRIES.c.leaf_hash).where(ENTRIES.c.idx >= start, ENTRIES.c.idx < end)
    for row in connection.execute(wanted.order_by(ENTRIES.c.idx)):
        yield {
            "kind": "entry",
            "log_origin": key.name,
            "leaf_index": row.idx,
            "leaf_hash": bytes(row.leaf_hash).hex(),
            "checkpoint_size": size,
            "leaf": json.loads(row.leaf),
        }


def _checkpoint(key: Key, size: int, note: str, at: str) -> dict[str, Any]:
    """A checkpoint is no leaf. It has no time of its own: `after` is that of the last entry it covers."""
    return {
        "kind": "checkpoint",
        "log_origin": key.name,
        "leaf_index": None,
        "leaf_hash": None,
        "checkpoint_size": size,
        "note": note,
        "after": at,
    }


def _written(line: dict[str, Any]) -> dict[str, Any]:
    return line


def _as_ocsf(line: dict[str, Any]) -> dict[str, Any]:
    """An entry says who did what to which thing; of a checkpoint we are the maker and it is the thing."""
    own = {name: value for name, value in line.items() if name != "leaf"}
    if line["kind"] == "checkpoint":
        size = line["checkpoint_size"]
        entity = {"type": "checkpoint", "uid": f"{line['log_origin']}/{size}", "version": str(size)}
        more = {"sequence": size, "event_code": "checkpoint", "original_time": line["after"]}
        return _event(line, own, _CREATE, entity, more) | {"actor": {"app_name": "isthmus"}}
    leaf = line["leaf"]
    own |= {"commitment": leaf["commitment"], "format": leaf["format"]}
    entity = {"type": leaf["event"].partition(".")[0], "uid": leaf["subject"]}
    more = {"sequence": line["leaf_index"], "event_code": leaf["event"], "original_time": leaf["at"]}
    event = _event(line, own, _activity(leaf["event"]), entity, more | {"tenant_uid": leaf["tenant"]})
    return event | {"actor": {"user": {"uid": leaf["actor"]}}}


def _event(
    line: dict[str, Any], own: dict[str, Any], activity: int, entity: dict[str, Any], more: dict[str, Any]
) -> dict[str, Any]:
    uid = f"{line['log_origin']}/{line['kind']}/{more['sequence']}"
    product = {"name": "Isthmus", "vendor_name": "Isthmus", "version": __version__}
    return {
        **{"activity_id": activity, "activity_name": _ACTIVITIES[activity], "category_uid": _IAM},
        **{"class_uid": _ENTITY_MANAGEMENT, "type_uid": _ENTITY_MANAGEMENT * 100 + activity, "severity_id": 1},
        **{"time": int(datetime.fromisoformat(more["original_time"]).timestamp() * 1_000), "entity": entity},
        **{"metadata": {"product": product, "version": OCSF_VERSION, "uid": uid, "log_name": line["log_origin"], **more}},
        **{"unmapped": own},
    }


def _activity(event: str) -> int:
    """Most entries say that something changed; the last word of the event says otherwise where it does."""
    return _LAST_WORDS.get(event.rpartition(".")[2], _UPDATE)
