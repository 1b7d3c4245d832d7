"""Orca Security: alerts of the alert API and webhooks, of the serving layer and Discovery exports, and vulnerability rows."""

from __future__ import annotations

from isthmus.connectors.orca.alerts import is_alert, is_thin, is_wrapped, read_alert, read_wrapped
from isthmus.connectors.orca.discovery import (
    is_row,
    is_served,
    read_csv_row,
    read_row,
    read_served,
    read_vulnerability,
)
from isthmus.contracts.reading import Record
from isthmus.contracts.roles import CsvExport, NotAnAlert, Shape

_ROW = frozenset({"Title", "Category", "OrcaScore"})
_CSV_ROW = _ROW | {"Inventory.Name", "CloudAccount.Name"}


def _is_asset(record: Record) -> bool:
    return isinstance(record["state"], dict) and "alert_id" not in record["state"]


def _is_served_asset(record: Record) -> bool:
    return isinstance(record["data"], dict) and "AlertId" not in record["data"] and "state" not in record


def _is_verification(record: Record) -> bool:
    return len(record) == 1 and record["status"] == "scanning"


class OrcaSource:
    """Orca, as a teller of problems."""

    shapes = (
        Shape("alert", frozenset({"state"}), read_alert, is_alert),
        Shape("alert (wrapped)", frozenset({"data"}), read_wrapped, is_wrapped),
        Shape("alert (trimmed webhook)", frozenset({"alert_id"}), read_alert, is_thin),
        Shape("alert (serving layer)", frozenset({"data"}), read_served, is_served),
        Shape("discovery row (CSV)", _CSV_ROW, read_csv_row),
        Shape("discovery row", _ROW, read_row, is_row),
        Shape("vulnerability row", frozenset({"CveId", "Inventory", "InstalledPackage"}), read_vulnerability),
    )
    not_alerts = (
        NotAnAlert(
            "a reply of the Orca API to a change of an alert, not an alert",
            frozenset({"alert_id", "asset_unique_id", "create_time", "type"}),
        ),
        NotAnAlert("a reply of the Orca API to a verification, not an alert", frozenset({"status"}), _is_verification),
        NotAnAlert("an Orca asset (context), not an alert", frozenset({"asset_unique_id", "state"}), _is_asset),
        NotAnAlert(
            "an Orca inventory object (context), not an alert",
            frozenset({"data", "asset_unique_id", "group_unique_id"}),
            _is_served_asset,
        ),
        NotAnAlert(
            "a compliance framework's score in Orca; its failed tests come as alerts",
            frozenset({"display_name", "test_results", "categories"}),
        ),
    )
    csv_exports = (CsvExport("Orca Discovery export", _CSV_ROW),)
    export_hint = (
        "Orca: Discovery > Alerts > Export (JSON or CSV; add the columns AlertId and AlertType), "
        "or the data of a POST /api/serving-layer/query for the model Alert"
    )
