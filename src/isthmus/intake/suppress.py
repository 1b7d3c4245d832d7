"""What is stored and deliberately left out of the queue, and whose word that was."""

from __future__ import annotations

from collections.abc import Iterable

from isthmus.model.deliveries import Suppressed
from isthmus.model.findings import Finding
from isthmus.model.severity import Status

_WORDS = {Status.RESOLVED: "resolved at the source", Status.SUPPRESSED: "dismissed, muted or excepted at the source"}


def suppress(findings: Iterable[Finding]) -> tuple[list[Finding], list[Suppressed]]:
    """Open findings, and the others with the reason their own platform gave."""
    kept, left_out = [], []
    for finding in findings:
        if finding.status.open:
            kept.append(finding)
            continue
        why = f": {finding.status_reason}" if finding.status_reason else ""
        left_out.append(
            Suppressed(
                source=finding.source,
                source_id=finding.source_id,
                title=str(finding.title),
                reason=f"{_WORDS[finding.status]}{why}",
                by=finding.source,
                until="until the source opens it again",
            )
        )
    return kept, left_out
