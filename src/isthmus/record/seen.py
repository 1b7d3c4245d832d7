"""What a triage showed last time, so that the next one can say what is new."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import msgspec

from isthmus.model.errors import Untrusted
from isthmus.model.findings import short_hash
from isthmus.model.incidents import Incident

SCHEMA_VERSION = 1


class Seen(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The state file: hashes of the keys of all findings ever shown, and when it was last written."""

    schema_version: int
    at: str
    findings: frozenset[str]


def load(path: Path) -> Seen | None:
    """The state of last time; None when there was none yet. Raises `Untrusted` for a file that is something else."""
    if not path.exists():
        return None
    try:
        state = msgspec.json.decode(path.read_bytes(), type=Seen)
    except OSError as error:
        raise Untrusted(error.strerror or "cannot be read", str(path)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Untrusted("not a state file of isthmus triage; give another path or remove it", str(path)) from None
    if state.schema_version != SCHEMA_VERSION:
        raise Untrusted(f"state of version {state.schema_version}, this is version {SCHEMA_VERSION}", str(path))
    return state


def since(incident: Incident, before: Seen | None) -> str:
    """`new` when none of its findings was shown before, `grown` when some were not, else `unchanged`."""
    if before is None:
        return "new"
    known = sum(short_hash(finding.key) in before.findings for finding in incident.findings)
    if not known:
        return "new"
    return "unchanged" if known == len(incident.members) else "grown"


def save(path: Path, before: Seen | None, incidents: Iterable[Incident], now: datetime) -> None:
    """Remember these incidents too; the file is replaced whole."""
    shown = {short_hash(finding.key) for incident in incidents for finding in incident.findings}
    state = Seen(SCHEMA_VERSION, now.isoformat(), frozenset(shown | (before.findings if before else frozenset())))
    waiting = path.with_name(f"{path.name}.new")
    try:
        waiting.write_bytes(msgspec.json.encode(state, order="deterministic"))
        waiting.replace(path)
    except OSError as error:
        raise Untrusted(error.strerror or "cannot be written", str(path)) from None
