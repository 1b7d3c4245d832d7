"""Lacework FortiCNAPP."""

from isthmus.connectors.lacework.api import connect
from isthmus.connectors.lacework.config import CANNOT, PERMISSIONS, WEBHOOK, LaceworkConfig
from isthmus.connectors.lacework.simulated import SimulatedLacework
from isthmus.connectors.lacework.simulator import LaceworkSimulator
from isthmus.connectors.lacework.source import LaceworkSource
from isthmus.contracts.connector import Connector

CONNECTOR = Connector(
    name="lacework",
    title="Lacework FortiCNAPP",
    source=LaceworkSource(),
    simulator=LaceworkSimulator(),
    proved_by="public samples of alerts (list and details), container and host vulnerability rows; webhook and event "
    "channel by their published fields, most entities of an alert by the field names public integrations read. Tokens, "
    "alerts by number, searches and pages: our simulated server was driven by the vendor's Python client (laceworksdk 4.1.0), "
    "and this connector by the simulated server; never by a tenant. How rows may be filtered: by public code only",
    webhook=WEBHOOK,
    config=LaceworkConfig,
    connect=connect,
    simulated=SimulatedLacework,
    permissions=PERMISSIONS,
    cannot=CANNOT,
)
