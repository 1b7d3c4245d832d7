"""Falco."""

from isthmus.connectors.falco.simulator import FalcoSimulator
from isthmus.connectors.falco.source import FalcoSource
from isthmus.contracts.connector import Connector

CONNECTOR = Connector(
    name="falco",
    title="Falco",
    source=FalcoSource(),
    simulator=FalcoSimulator(),
    proved_by="public samples of syscall, Kubernetes audit and CloudTrail events, from Falco and through Falcosidekick; "
    "the cloud.* and host.* custom fields by the OpenTelemetry names they borrow, which a deployment must set itself",
)
