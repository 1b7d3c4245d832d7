"""What one Pub/Sub subscription needs to know."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from isthmus.contracts.connector import Permission
from isthmus.contracts.wire import ConnectorConfig, OriginUrl, SecretRef

Subscription = Annotated[
    str,
    StringConstraints(
        pattern=r"^projects/(?:[a-z][a-z0-9.-]{0,61}:)?[a-z0-9-]{1,63}/subscriptions/[A-Za-z][A-Za-z0-9._~+-]{2,254}$"
    ),
]

PERMISSIONS = (Permission("pubsub.subscriptions.consume", "pull, acknowledge and hold messages (roles/pubsub.subscriber)"),)
CANNOT = {
    "say who published a message": "Pub/Sub does not show it; so alerts are hints unless the settings vouch for the topic",
    "count alerts at the source": "a subscription tells how much waits in it, not how much its platform ever sent",
}


class PubSubConfig(ConnectorConfig):
    """One pull subscription, and whose alerts are in it.

    Credentials are the JSON of a service account's key or of a workload identity federation, by reference; or nothing,
    which leaves it to Google's own chain (the metadata server of the machine, or application default credentials).
    Whoever may publish to the topic can write alerts: they are hints, as from a webhook, unless `trusted`.
    """

    subscription: Subscription = Field(description="projects/PROJECT/subscriptions/NAME, a pull subscription.")
    reads: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")] = Field(
        description="Whose alerts these are: another instance, such as wiz-main, or a connector, such as scc."
    )
    trusted: bool = Field(
        default=False,
        description="You vouch that only the platform may publish to this topic: then alerts count as if we had pulled "
        "them. Refused where `reads` names an instance that can be asked back.",
    )
    credentials: SecretRef | None = Field(default=None, description="The JSON of the credentials; without it Google's chain.")
    api_origin: OriginUrl = Field(default="https://pubsub.googleapis.com", description="Pub/Sub's API, or a regional one.")
    token_origin: OriginUrl = Field(
        default="https://oauth2.googleapis.com", description="Where a service account's tokens are given out."
    )
    wait_seconds: int = Field(default=5, ge=0, le=8, description="How long one call waits for the first message.")
    hold_seconds: int = Field(default=60, ge=10, le=600, description="For how long a message is held while storing is slow.")
