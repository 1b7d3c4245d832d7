"""Wiz."""

from isthmus.connectors.wiz.api import connect
from isthmus.connectors.wiz.config import CANNOT, PERMISSIONS, WEBHOOK, WizConfig
from isthmus.connectors.wiz.simulated import SimulatedWiz
from isthmus.connectors.wiz.simulator import WizSimulator
from isthmus.connectors.wiz.source import WizSource
from isthmus.contracts.connector import Connector

CONNECTOR = Connector(
    name="wiz",
    title="Wiz",
    source=WizSource(),
    simulator=WizSimulator(),
    proved_by="public samples of issues (API and webhook), Defend detections and vulnerability findings; configuration "
    "findings by their published query only. Queries, filters, tokens and error codes: by public integrations' texts and "
    "by our own simulated server, never by a tenant; that `before` narrows every filter and what stops at 10,000: unproven",
    webhook=WEBHOOK,
    config=WizConfig,
    connect=connect,
    simulated=SimulatedWiz,
    permissions=PERMISSIONS,
    cannot=CANNOT,
)
