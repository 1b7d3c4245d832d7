"""Orca Security."""

from isthmus.connectors.orca.simulator import OrcaSimulator
from isthmus.connectors.orca.source import OrcaSource
from isthmus.contracts.connector import Connector

CONNECTOR = Connector(
    name="orca",
    title="Orca Security",
    source=OrcaSource(),
    simulator=OrcaSimulator(),
    proved_by="public samples of alerts (API, webhook wrapper and trimmed webhook), serving-layer alerts, Discovery exports "
    "(JSON and CSV) and vulnerability rows; CVE rows inside an alert and code scans of secrets by their field names only",
)
