"""Orca Security."""

from isthmus.connectors.orca.api import CANNOT, connect
from isthmus.connectors.orca.config import PERMISSIONS, WEBHOOK, OrcaConfig
from isthmus.connectors.orca.simulated import SimulatedOrca
from isthmus.connectors.orca.simulator import OrcaSimulator
from isthmus.connectors.orca.source import OrcaSource
from isthmus.contracts.connector import Connector

CONNECTOR = Connector(
    name="orca",
    title="Orca Security",
    source=OrcaSource(),
    simulator=OrcaSimulator(),
    proved_by="public samples of alerts (API, webhook wrapper and trimmed webhook), serving-layer alerts, Discovery exports "
    "(JSON and CSV) and vulnerability rows; CVE rows inside an alert and code scans of secrets by their field names only; "
    "fetching an alert by its id: path, token and answers as public clients of Orca use them, tried only against our own "
    "simulated Orca, which a public client of Orca's can query",
    webhook=WEBHOOK,
    config=OrcaConfig,
    connect=connect,
    simulated=SimulatedOrca,
    permissions=PERMISSIONS,
    cannot=CANNOT,
)
