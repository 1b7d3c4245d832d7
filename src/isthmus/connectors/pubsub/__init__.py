"""Google Cloud Pub/Sub, as a queue others put alerts into."""

from isthmus.connectors.pubsub.config import CANNOT, PERMISSIONS, PubSubConfig
from isthmus.connectors.pubsub.queue import PubSubQueue
from isthmus.connectors.pubsub.simulated import SimulatedPubSub
from isthmus.contracts.connector import Connector
from isthmus.contracts.roles import Roles
from isthmus.contracts.wire import Outward


def _connect(config: PubSubConfig, outward: Outward) -> Roles:
    return Roles(queue=PubSubQueue(config, outward))


CONNECTOR = Connector(
    name="pubsub",
    title="Google Cloud Pub/Sub",
    proved_by="a simulated Pub/Sub that Google's own client (google-cloud-pubsub over REST) fills and empties, too; tokens are "
    "asked for by google-auth; not yet against Google itself",
    config=PubSubConfig,
    connect=_connect,
    simulated=SimulatedPubSub,
    permissions=PERMISSIONS,
    cannot=CANNOT,
)
