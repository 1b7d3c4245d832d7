"""Everything of Wiz that is read, and what is recognised as no alert."""

from __future__ import annotations

from isthmus.connectors.wiz.detections import read_detection
from isthmus.connectors.wiz.issues import read_csv_issue, read_issue, read_issue_webhook
from isthmus.connectors.wiz.posture import read_configuration, read_vulnerability
from isthmus.contracts.reading import Record
from isthmus.contracts.roles import CsvExport, NotAnAlert, Shape


def _is_detection(record: Record) -> bool:
    return "triggeringEvents" in record or "ruleMatch" in record or "tdrId" in record


class WizSource:
    """Wiz, as a teller of problems."""

    shapes = (
        Shape("issue", frozenset({"id", "severity", "status", "entitySnapshot"}), read_issue),
        Shape("issue webhook", frozenset({"trigger", "issue", "control", "resource"}), read_issue_webhook),
        Shape("detection", frozenset({"id", "severity", "description"}), read_detection, _is_detection),
        Shape("vulnerability finding", frozenset({"id", "name", "vulnerableAsset"}), read_vulnerability),
        Shape(
            "configuration finding",
            frozenset({"id", "resource", "rule", "severity", "result"}),
            read_configuration,
        ),
        Shape("issue (CSV)", frozenset({"Issue ID", "Resource vertex ID", "Severity", "Title"}), read_csv_issue),
    )
    not_alerts = (
        NotAnAlert("a Wiz audit log entry, not an alert", frozenset({"action", "requestId", "actionParameters"})),
        NotAnAlert("a Wiz audit log entry, not an alert", frozenset({"action", "requestid", "sourceip"})),
        NotAnAlert("the definition of a Wiz control, not an alert", frozenset({"__typename", "controlDescription", "id"})),
        NotAnAlert("a Wiz graph object (context), not an alert", frozenset({"graphEntity", "id", "type"})),
        NotAnAlert("a Wiz AI analysis of a threat (context), not an alert", frozenset({"threatDetectionDetails"})),
        NotAnAlert("a reply of the Wiz API to an update, not an alert", frozenset({"updateIssue"})),
        NotAnAlert("a reply of the Wiz API to a note, not an alert", frozenset({"createIssueNote"})),
        NotAnAlert("an error reply of the Wiz API, not an alert", frozenset({"errors"})),
        NotAnAlert("a Wiz CLI scan of code; pipeline scans are not triaged", frozenset({"scanOriginResource", "policies"})),
    )
    csv_exports = (
        CsvExport(
            "Wiz issues report", frozenset({"Issue ID", "Resource vertex ID", "Severity", "Title", "Status", "Created At"})
        ),
    )
    export_hint = "Wiz: Issues > Export (CSV), or the nodes of an issuesV2 API query as JSON"
