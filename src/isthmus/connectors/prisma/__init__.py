"""Prisma Cloud."""

from isthmus.connectors.prisma.simulator import PrismaSimulator
from isthmus.connectors.prisma.source import PrismaSource
from isthmus.contracts.connector import Connector

CONNECTOR = Connector(
    name="prisma",
    title="Prisma Cloud",
    source=PrismaSource(),
    simulator=PrismaSimulator(),
    proved_by="public samples of CSPM config alerts (API), the test notification, twistcli image scans and their CSV, Compute "
    "runtime, WAAS, network, trust, admission, file and log audits, container scans and the XSOAR channel; filled CSPM webhook "
    "bodies, anomaly, IAM, data and attack-path alerts, incidents, host and image scans through the API by documentation only",
)
