"""Wiz."""

from isthmus.connectors.wiz.simulator import WizSimulator
from isthmus.connectors.wiz.source import WizSource
from isthmus.contracts.connector import Connector

CONNECTOR = Connector(
    name="wiz",
    title="Wiz",
    source=WizSource(),
    simulator=WizSimulator(),
    proved_by="public samples of issues (API and webhook), Defend detections and vulnerability findings; "
    "configuration findings by their published query only",
)
