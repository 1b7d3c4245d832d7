"""AWS Security Hub, the AWS Security Finding Format."""

from isthmus.connectors.securityhub.simulator import SecurityHubSimulator
from isthmus.connectors.securityhub.source import SecurityHubSource
from isthmus.contracts.connector import Connector

CONNECTOR = Connector(
    name="securityhub",
    title="AWS Security Hub (ASFF)",
    source=SecurityHubSource(),
    simulator=SecurityHubSimulator(),
    proved_by="public samples of control, Inspector and GuardDuty findings, old and new, alone and in EventBridge events; "
    "Macie findings, `Action` and consolidated controls by the published format only",
)
