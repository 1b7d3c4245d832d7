"""Prisma Cloud: CSPM alerts, and what Compute sees at run time, in scans and in its audits."""

from __future__ import annotations

from isthmus.connectors.prisma.compute_audits import (
    is_grouped,
    read_admission,
    read_file_integrity,
    read_grouped,
    read_log_inspection,
    read_waas,
)
from isthmus.connectors.prisma.compute_channel import is_channel, read_channel
from isthmus.connectors.prisma.compute_csv import COLUMNS, EXPORTS, read_csv
from isthmus.connectors.prisma.compute_runtime import is_incident, is_runtime, read_incident, read_runtime
from isthmus.connectors.prisma.compute_scan import (
    is_ci_scan,
    is_container_scan,
    is_host_scan,
    is_image_scan,
    is_twistcli,
    read_ci_scan,
    read_container_scan,
    read_host_scan,
    read_image_scan,
    read_twistcli,
)
from isthmus.connectors.prisma.cspm import is_alert, is_webhook, read_alert, read_webhook
from isthmus.contracts.roles import NotAnAlert, Shape


class PrismaSource:
    """Prisma Cloud, as a teller of problems."""

    shapes = (
        Shape("CSPM alert", frozenset({"id", "status", "policy"}), read_alert, is_alert),
        Shape("CSPM webhook alert", frozenset({"alertId"}), read_webhook, is_webhook),
        Shape("XSOAR channel alert", frozenset({"_id", "kind", "time"}), read_channel, is_channel),
        Shape("incident", frozenset({"_id", "time", "category", "audits"}), read_incident, is_incident),
        Shape("network or trust audits", frozenset({"_id", "time", "audits", "total"}), read_grouped, is_grouped),
        Shape("WAAS audit", frozenset({"_id", "time", "ruleAppID", "attackField"}), read_waas),
        Shape("runtime audit", frozenset({"_id", "time", "effect", "msg"}), read_runtime, is_runtime),
        Shape("admission audit", frozenset({"time", "ruleName", "operation", "username", "effect"}), read_admission),
        Shape("file integrity audit", frozenset({"_id", "time", "eventType", "path", "ruleName"}), read_file_integrity),
        Shape("log inspection audit", frozenset({"_id", "time", "logfile", "line", "ruleName"}), read_log_inspection),
        Shape("image scan (twistcli)", frozenset({"id", "distro"}), read_twistcli, is_twistcli),
        Shape("host scan", frozenset({"_id", "scanTime"}), read_host_scan, is_host_scan),
        Shape("image scan", frozenset({"_id", "scanTime"}), read_image_scan, is_image_scan),
        Shape("container scan", frozenset({"_id", "info", "scanTime"}), read_container_scan, is_container_scan),
        Shape("CI image scan", frozenset({"_id", "entityInfo", "pass"}), read_ci_scan, is_ci_scan),
        Shape("image scan (CSV)", COLUMNS, read_csv),
    )
    not_alerts = (
        NotAnAlert("a Prisma Cloud risk detail (context), not an alert", frozenset({"riskDetail"})),
        NotAnAlert(
            "an asset of the Prisma Cloud inventory, not an alert", frozenset({"rrn", "unifiedAssetId", "resourceType"})
        ),
        NotAnAlert("a Prisma Cloud policy, not an alert", frozenset({"policyId", "policyType", "policySubTypes", "rule"})),
    )
    csv_exports = EXPORTS
    export_hint = (
        "Prisma Cloud: the items of a v2/alert API query (detailed=true) as JSON; Compute: Monitor > Vulnerabilities > CSV"
    )
