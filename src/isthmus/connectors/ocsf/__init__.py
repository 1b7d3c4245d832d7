"""OCSF: Prowler, Security Lake, Security Hub v2, and any other producer."""

from isthmus.connectors.ocsf.simulator import OcsfSimulator
from isthmus.connectors.ocsf.source import OcsfSource
from isthmus.contracts.connector import Connector

CONNECTOR = Connector(
    name="ocsf",
    title="OCSF (Prowler, Security Lake, Security Hub v2)",
    source=OcsfSource(),
    simulator=OcsfSimulator(),
    proved_by="public samples of Prowler (OCSF and CSV) and of Security Hub v2 (compliance, vulnerability, GuardDuty, "
    "exposure); Security Lake's class 2001 and classes 2006 and 2007 by the schema and one published example only",
)
