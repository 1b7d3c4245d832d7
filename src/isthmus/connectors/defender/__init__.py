"""Microsoft Defender for Cloud."""

from isthmus.connectors.defender.simulator import DefenderSimulator
from isthmus.connectors.defender.source import DefenderSource
from isthmus.contracts.connector import Connector

CONNECTOR = Connector(
    name="defender",
    title="Microsoft Defender for Cloud",
    source=DefenderSource(),
    simulator=DefenderSimulator(),
    proved_by="128 public rows of Sentinel alerts; REST and Event Hub alerts, assessments, sub-assessments and the "
    "recommendations CSV as retyped from public samples; entities of AWS resources by documentation only",
)
