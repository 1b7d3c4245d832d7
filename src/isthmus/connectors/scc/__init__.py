"""Google Security Command Center."""

from isthmus.connectors.scc.simulator import SccSimulator
from isthmus.connectors.scc.source import SccSource
from isthmus.contracts.connector import Connector

CONNECTOR = Connector(
    name="scc",
    title="Google Security Command Center",
    source=SccSource(),
    simulator=SccSimulator(),
    proved_by="findings (API v1 and v2 list results, Pub/Sub notifications, Google SecOps) as retyped from public samples; "
    "ATT&CK names by the API's own enumeration; toxic combinations, AWS and Azure resources and snake case by "
    "documentation only",
)
