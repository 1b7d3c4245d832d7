"""Microsoft Defender for Cloud: alerts, recommendations and what is found below them, in every form they leave Azure."""

from __future__ import annotations

from isthmus.connectors.defender.alerts import read_alert, read_exported, read_sentinel
from isthmus.connectors.defender.recommendations import read_assessment, read_row, read_sub_assessment
from isthmus.contracts.reading import Record
from isthmus.contracts.roles import CsvExport, NotAnAlert, Shape

_REST = frozenset({"id", "name", "type", "properties"})
_ALERT = "microsoft.security/locations/alerts"
_ASSESSMENT = "microsoft.security/assessments"
_SUB_ASSESSMENT = "microsoft.security/assessments/subassessments"
_CSV = frozenset({"recommendationId", "recommendationName", "recommendationDisplayName", "resourceId", "severity", "state"})


def _type(record: Record) -> str:
    found = record.get("type") or record.get("Type")
    return found.lower() if isinstance(found, str) else ""


def _is_other(record: Record) -> bool:
    return _type(record).startswith("microsoft.security/") and _type(record) not in (_ALERT, _ASSESSMENT, _SUB_ASSESSMENT)


class DefenderSource:
    """Microsoft Defender for Cloud, as a teller of problems."""

    shapes = (
        Shape("alert", _REST, read_alert, lambda record: _type(record) == _ALERT),
        Shape(
            "alert (Event Hub)",
            frozenset({"SystemAlertId", "AlertType", "AlertDisplayName", "Severity"}),
            read_exported,
        ),
        Shape(
            "alert (Sentinel)",
            frozenset({"SystemAlertId", "VendorOriginalId", "AlertName", "AlertSeverity", "ProviderName"}),
            read_sentinel,
        ),
        Shape("assessment", _REST, read_assessment, lambda record: _type(record) == _ASSESSMENT),
        Shape(
            "sub-assessment",
            frozenset({"id", "type", "properties"}),
            read_sub_assessment,
            lambda record: _type(record) == _SUB_ASSESSMENT,
        ),
        Shape(
            "sub-assessment (Event Hub)",
            frozenset({"Id", "Type", "Properties"}),
            read_sub_assessment,
            lambda record: _type(record) == _SUB_ASSESSMENT,
        ),
        Shape("recommendation (CSV)", _CSV, read_row),
    )
    not_alerts = (
        NotAnAlert("a score, standard or plan of Defender for Cloud, not an alert", frozenset({"id", "type"}), _is_other),
        NotAnAlert("a score, standard or plan of Defender for Cloud, not an alert", frozenset({"Id", "Type"}), _is_other),
        NotAnAlert(
            "an incident of Microsoft Sentinel; take the alerts it groups",
            frozenset({"IncidentName", "IncidentNumber", "AlertIds"}),
        ),
    )
    csv_exports = (CsvExport("Defender for Cloud recommendations", _CSV | {"subscriptionId", "resourceType"}),)
    export_hint = (
        "Defender for Cloud: continuous export to an Event Hub, the alerts and assessments of its REST API as JSON, "
        "or Recommendations > Download CSV report"
    )
