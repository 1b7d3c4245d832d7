"""Amazon SQS, as a queue others put alerts into."""

from isthmus.connectors.sqs.config import SqsConfig
from isthmus.connectors.sqs.permissions import CANNOT, PERMISSIONS, policy_document
from isthmus.connectors.sqs.queue import SqsQueue
from isthmus.contracts.connector import Connector
from isthmus.contracts.roles import Roles
from isthmus.contracts.wire import Outward


def _connect(config: SqsConfig, outward: Outward) -> Roles:
    return Roles(queue=SqsQueue(config, outward))


CONNECTOR = Connector(
    name="sqs",
    title="Amazon SQS",
    proved_by="moto's server, with its IAM enforcement, which AWS's own client filled and looked into; requests are written "
    "and signed by botocore; not yet against AWS itself",
    config=SqsConfig,
    connect=_connect,
    permissions=PERMISSIONS,
    cannot=CANNOT,
    policy_document=policy_document,
)
