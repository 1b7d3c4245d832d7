"""ServiceNow Security Incident Response."""

from isthmus.connectors.servicenow.cases import ServiceNowCases
from isthmus.connectors.servicenow.config import ServiceNowConfig
from isthmus.connectors.servicenow.declared import CANNOT, PERMISSIONS, PROVED_BY
from isthmus.connectors.servicenow.simulated import SimulatedServiceNow
from isthmus.contracts.connector import Connector
from isthmus.contracts.roles import Roles

CONNECTOR = Connector(
    name="servicenow",
    title="ServiceNow Security Incident Response",
    proved_by=PROVED_BY,
    config=ServiceNowConfig,
    connect=lambda config, outward: Roles(sink=ServiceNowCases(config, outward)),
    simulated=SimulatedServiceNow,
    permissions=PERMISSIONS,
    cannot=CANNOT,
)
