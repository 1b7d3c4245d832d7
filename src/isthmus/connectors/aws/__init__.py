"""Amazon Web Services, as inventory and actuator."""

from isthmus.connectors.aws.actuator import AwsActuator
from isthmus.connectors.aws.clients import Aws
from isthmus.connectors.aws.config import AwsConfig
from isthmus.connectors.aws.inventory import AwsInventory
from isthmus.connectors.aws.permissions import CANNOT, PERMISSIONS, policy_document
from isthmus.contracts.connector import Connector
from isthmus.contracts.roles import Roles
from isthmus.contracts.wire import Outward


def _connect(config: AwsConfig, outward: Outward) -> Roles:
    aws = Aws(config, outward)
    return Roles(inventory=AwsInventory(aws), actuator=AwsActuator(aws))


CONNECTOR = Connector(
    name="aws",
    title="Amazon Web Services",
    proved_by="AWS's own client (botocore) against moto's server, with its IAM enforcement; not yet against AWS itself",
    config=AwsConfig,
    connect=_connect,
    permissions=PERMISSIONS,
    cannot=CANNOT,
    policy_document=policy_document,
)
