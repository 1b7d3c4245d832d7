"""ServiceNow Security Incident Response."""

from isthmus.connectors.servicenow.cases import SnowCases
from isthmus.connectors.servicenow.config import SnowConfig
from isthmus.connectors.servicenow.declared import CANNOT, PERMISSIONS, PROVED_BY
from isthmus.connectors.servicenow.simulated import SimulatedSnow
from isthmus.contracts.connector import Connector
from isthmus.contracts.roles import Roles

CONNECTOR = Connector(
    name="servicenow",
    title="ServiceNow Security Incident Response",
    proved_by=PROVED_BY,
    config=SnowConfig,
    connect=lambda config, outward: Roles(sink=SnowCases(config, outward)),
    simulated=SimulatedSnow,
    permissions=PERMISSIONS,
    cannot=CANNOT,
)
