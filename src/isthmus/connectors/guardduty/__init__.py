"""Amazon GuardDuty."""

from isthmus.connectors.guardduty.simulator import GuardDutySimulator
from isthmus.connectors.guardduty.source import GuardDutySource
from isthmus.contracts.connector import Connector

CONNECTOR = Connector(
    name="guardduty",
    title="Amazon GuardDuty",
    source=GuardDutySource(),
    simulator=GuardDutySimulator(),
    proved_by="public samples of findings as events (IAM, attack sequence); resource and action details, "
    "and the API's spelling, by the AWS service model only",
)
