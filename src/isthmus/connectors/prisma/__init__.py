"""Prisma Cloud."""

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
    "incidents, function audits, API scans of hosts and images by documentation only",
)
