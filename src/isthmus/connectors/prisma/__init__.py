"""Prisma Cloud."""

from isthmus.connectors.prisma.api import CANNOT, connect
from isthmus.connectors.prisma.config import PERMISSIONS, WEBHOOK, PrismaConfig
from isthmus.connectors.prisma.simulated import SimulatedPrisma
from isthmus.connectors.prisma.simulator import PrismaSimulator
from isthmus.connectors.prisma.source import PrismaSource
from isthmus.contracts.connector import Connector

CONNECTOR = Connector(
    name="prisma",
    title="Prisma Cloud",
    source=PrismaSource(),
    simulator=PrismaSimulator(),
    proved_by="public samples of CSPM config alerts (API), the test notification, twistcli image scans and their CSV, "
    "Compute runtime (container, host), WAAS, network, trust, admission, file and log audits, XSOAR channel; "
    "container and CI scans as retyped; filled CSPM webhook bodies, anomaly, IAM, data and attack-path alerts, "
    "incidents, function audits, API scans of hosts and images by documentation only; fetching by id: by the published "
    "API descriptions, tried only against our own simulated Prisma, which Palo Alto's own Python client can query",
    webhook=WEBHOOK,
    config=PrismaConfig,
    connect=connect,
    simulated=SimulatedPrisma,
    permissions=PERMISSIONS,
    cannot=CANNOT,
)
