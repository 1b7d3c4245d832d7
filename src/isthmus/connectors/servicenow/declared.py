"""What a ServiceNow instance must allow us, what we leave to people, and what all of it was checked against."""

from __future__ import annotations

from isthmus.contracts.connector import Permission

PROVED_BY = (
    "a simulator of the Table API, attachments and OAuth, itself driven by ServiceNow's own Python client (pysnc 1.2.1); "
    "no real instance has been spoken to"
)

PERMISSIONS = (
    Permission(
        name="role sn_si.integration_user",
        why="to read, create and change sn_si_incident; that this role is enough is what integrations of other vendors ask "
        "for, and was not tried on a real instance",
        abilities=("case.open", "case.update"),
    ),
    Permission(
        name="read and write of correlation_id and correlation_display on the case table",
        why="to find our case again; ServiceNow leaves out what an account may not write without saying so, and drops a "
        "search condition it may not use, so both are checked on every write and every search",
        abilities=("case.open", "case.update"),
    ),
    Permission(
        name="write of state, close_notes and work_notes on the case table",
        why="to cancel the second of two cases opened at the same moment, and to add notes",
        abilities=("case.open", "case.update"),
    ),
    Permission(
        name="read of sys_journal_field",
        why="to read people's work notes back; without it their notes stay unread and nothing else changes. Which role gives "
        "it is decided by each instance",
    ),
    Permission(
        name="OAuth client credentials, or web service access for the user",
        why="to sign in; client credentials must be switched on for the instance "
        "(glide.oauth.inbound.client.credential.grant_type.enabled, named from memory)",
    ),
)

CANNOT = {
    "case.undo": "a case is part of a record people work in: it is closed by them, never deleted or closed by us",
    "case.close": "closing needs the customer's own closure codes and is people's word; it is read back as a verdict",
    "case.reassign": "the assignment group is filled when it is empty; afterwards it is people's",
    "case.attach": "evidence is linked, not copied into attachments",
    "alert.read": "ServiceNow keeps cases; it tells of no cloud risks",
}
