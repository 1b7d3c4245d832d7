"""A case in ServiceNow's columns: what is written when it is opened, and what has changed since."""

from __future__ import annotations

import re
from collections.abc import Iterable

from isthmus.connectors.servicenow.config import SnowConfig
from isthmus.connectors.servicenow.session import Row
from isthmus.model.cases import Case
from isthmus.model.errors import Refused

MARK = "isthmus "
"""What `correlation_display` begins with: the rest is the version of the case as we last wrote it."""

DUPLICATE = "isthmus duplicate of "
"""What it begins with once we have cancelled a record that two writers opened at the same time."""

OUR_NOTE = "Isthmus "
"""What the work notes we write begin with, so that they are not read back as people's words."""

_KEY = re.compile(r"(?!.*(?:\.\.|//))[A-Za-z0-9][A-Za-z0-9_./:-]{0,99}")
_VERSION = re.compile(r"[A-Za-z0-9_.-]{1,80}")
_LONGEST_TITLE, _LONGEST_TEXT = 160, 4_000
_CUT = "\n(cut; the whole of it is in Isthmus)"
_CODE_TAG = re.compile(r"\[(/?)code\]", re.IGNORECASE)


def checked_key(key: str) -> str:
    """The key, fit to stand in an encoded query; `Refused` otherwise.

    `^` would begin another condition, `javascript:` is run by the platform, `NULL` means any record without a value,
    and more than 100 characters would be cut by the column and never be found again. No key of ours climbs (`..`) or is
    an address (`//`).
    """
    if not _KEY.fullmatch(key) or key.lower().startswith("javascript:") or key.upper() in {"NULL", "EMPTYSTRING"}:
        raise Refused("ServiceNow: a case key is up to 100 letters, digits and _ . / : - only")
    return key


def mark_of(case: Case) -> str:
    """What `correlation_display` holds once this version is written."""
    if not _VERSION.fullmatch(case.version):
        raise Refused("ServiceNow: a case version is up to 80 letters, digits and _ . - only")
    return MARK + case.version


def opening(case: Case, config: SnowConfig) -> dict[str, str]:
    """Everything a new record gets. A state is sent only when the settings name one: ServiceNow has a first state."""
    group = config.groups.get(case.owner, config.group)
    optional = {"assignment_group": group, "state": config.opened_state}
    return {
        **config.constants,
        "correlation_id": checked_key(case.key),
        **_content(case, config),
        **_ours(case),
        **{name: value for name, value in optional.items() if value},
    }


def changes(row: Row, case: Case, config: SnowConfig) -> dict[str, str]:
    """What differs from the record, with the version and its note, to be written in one change.

    The assignment group is filled when it is empty and left alone otherwise, and so is the state: both are people's.
    """
    wanted = _content(case, config)
    changed = {name: value for name, value in wanted.items() if row.value(name).replace("\r\n", "\n") != value}
    group = config.groups.get(case.owner, config.group)
    if group and not row.value("assignment_group"):
        changed["assignment_group"] = group
    return {**changed, **_ours(case)}


def cancelling(first: Row, config: SnowConfig) -> dict[str, str]:
    """What a record gets that was opened twice: cancelled, saying which one stays."""
    named = first.value("number") or first.sys_id
    note = f"{OUR_NOTE}opened this case twice; it is kept in {named}."
    values = {"state": config.cancelled_state, "close_notes": f"Duplicate of {named}", "work_notes": note}
    code = {"close_code": config.cancelled_code} if config.cancelled_code else {}
    return {**values, **code, "correlation_display": f"{DUPLICATE}{named}"}


def orphaned(config: SnowConfig) -> dict[str, str]:
    """What a record gets that we opened and could not find again."""
    note = f"{OUR_NOTE}may not write this table's correlation fields and does not use this record."
    return {"state": config.cancelled_state, "close_notes": note, "work_notes": note}


def fields(config: SnowConfig) -> list[str]:
    """The columns we ask for: those we write, and those people answer in."""
    asked = ["sys_id", "number", "state", "active", "correlation_id", "correlation_display", "sys_created_on"]
    asked += ["short_description", "description", "assignment_group", "assigned_to", "close_code", "close_notes"]
    own = [config.severity_column, config.priority_column, *config.columns.values()]
    return asked + [name for name in own if name]


def _ours(case: Case) -> dict[str, str]:
    note = {"work_notes": _plain(f"{OUR_NOTE}{case.version}\n{case.note}", _LONGEST_TEXT)} if case.note else {}
    return {"correlation_display": mark_of(case), **note}


def _content(case: Case, config: SnowConfig) -> dict[str, str]:
    coded = {
        config.severity_column: config.severities.get(case.severity, ""),
        config.priority_column: config.priorities.get(case.priority, ""),
    }
    parts = {
        "score": str(case.score),
        "verdict": case.verdict,
        "confidence": case.confidence,
        "impact": case.impact,
        "root_cause": case.root_cause,
    }
    return {
        "short_description": _plain(case.title, _LONGEST_TITLE, "…"),
        "description": _plain("\n\n".join(_sections(case)), _LONGEST_TEXT),
        **{name: code for name, code in coded.items() if name and code},
        **{column: _plain(parts[part], _LONGEST_TEXT) for part, column in config.columns.items()},
    }


def _sections(case: Case) -> Iterable[str]:
    judged = f"{case.verdict} ({case.confidence} confidence)"
    yield f"Priority {case.priority}, score {case.score}, severity {case.severity}, {judged}"
    texts = (("Summary", case.summary), ("Impact", case.impact), ("Root cause", case.root_cause), ("Owner", case.owner))
    yield from (f"{title}: {text}" for title, text in texts if text)
    lists = (("Links", case.links), ("Assets", case.assets), ("Steps", case.steps), ("Lasting fixes", case.remedies))
    for title, lines in lists:
        if lines:
            yield "\n".join([f"{title}:", *(f"- {line}" for line in lines)])


def _plain(text: str, longest: int, cut: str = _CUT) -> str:
    """Text without the tags ServiceNow turns into HTML, with trailing space gone, no longer than the column."""
    quiet = _CODE_TAG.sub(r"(\1code)", text).replace("\r\n", "\n").strip()
    return quiet if len(quiet) <= longest else quiet[: longest - len(cut)].rstrip() + cut
