"""Microsoft Defender for Cloud."""

from isthmus.connectors.defender.simulator import DefenderSimulator
from isthmus.connectors.defender.source import DefenderSource
from isthmus.contracts.connector import Connector

CONNECTOR = Connector(
    name="defender",
    title="Microsoft Defender for Cloud",
    source=DefenderSource(),
    simulator=DefenderSimulator(),
    proved_by="public samples of alerts (REST, Event Hub, Sentinel), assessments, sub-assessments and the recommendations CSV; "
    "entities of AWS resources by documentation only",
)
