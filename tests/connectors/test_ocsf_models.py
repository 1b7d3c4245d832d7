"""What our OCSF simulator writes is OCSF, where the published models have the class (2003 and 2004)."""

from dataclasses import replace
from typing import Any

import pytest

from isthmus.assembly import catalogue
from isthmus.contracts.checks import drill
from isthmus.model.findings import Control, Finding, Indicator, Kind
from isthmus.model.severity import Severity, Status

_DRILLED = [(kind, status) for kind in (Kind.MISCONFIGURATION, Kind.THREAT) for status in Status]


def _ocsf() -> Any:
    return next(one for one in catalogue() if one.name == "ocsf").simulator


def _full(kind: Kind, status: Status) -> Finding:
    """A finding with everything set that the simulator writes."""
    seen = (Indicator("ip", "203.0.113.9"), Indicator("domain", "pool.miner.example"), Indicator("api", "s3:GetObject"))
    return replace(
        drill(kind, "ocsf", status),
        attack=("T1078.004", "T1530"),
        controls=(Control("CIS-3.0", "2.1.4"),),
        indicators=seen if kind is Kind.THREAT else (),
    )


def _validated(payload: dict[str, Any]) -> Any:
    """The payload as the published model of its class reads it; nothing for a class without one, and for CSV rows."""
    events = pytest.importorskip("py_ocsf_models.events.findings.detection_finding")
    compliance = pytest.importorskip("py_ocsf_models.events.findings.compliance_finding")
    models = {2004: events.DetectionFinding, 2003: compliance.ComplianceFinding}
    model = models.get(payload.get("class_uid", 0))
    return model.model_validate(payload) if model else None


@pytest.mark.parametrize(("kind", "status"), _DRILLED)
def test_what_the_simulator_writes_validates(kind: Kind, status: Status) -> None:
    finding = _full(kind, status)
    read = [event for payload in _ocsf().payloads(finding) if (event := _validated(payload)) is not None]
    assert {event.class_uid for event in read} == ({2003, 2004} if kind is Kind.MISCONFIGURATION else {2004})
    for event in read:
        assert event.type_uid.value == event.class_uid * 100 + event.activity_id.value
        assert event.severity_id.value == Severity.HIGH
        assert event.finding_info.title == str(finding.title)
        assert event.metadata.product.vendor_name
        assert event.resources[0].region == finding.asset.region


def test_the_shape_of_a_vulnerability_is_checked_as_far_as_the_models_go() -> None:
    """There is no class 2002 in the models, but there is the object it is about."""
    details = pytest.importorskip("py_ocsf_models.objects.vulnerability_details").VulnerabilityDetails
    payload = next(iter(_ocsf().payloads(drill(Kind.VULNERABILITY, "ocsf"))))
    read = details.model_validate(payload["vulnerabilities"][0])
    assert read.cve.uid == "CVE-2021-44228"
    assert read.affected_packages[0].fixed_in_version == "2.17.1"
