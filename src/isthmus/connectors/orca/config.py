"""What an instance of Orca needs to know, what its API token must be allowed, and what to enter for its webhook."""

from __future__ import annotations

from pydantic import Field

from isthmus.contracts.connector import Permission, Webhook
from isthmus.contracts.wire import ConnectorConfig, OriginUrl, SecretRef


class OrcaConfig(ConnectorConfig):
    """One Orca organization."""

    origin: OriginUrl = Field(
        description="The region's API, without path: https://api.orcasecurity.io for the United States, "
        "https://app.eu.orcasecurity.io, https://app.au.orcasecurity.io and so on elsewhere."
    )
    api_token: SecretRef = Field(
        description="The API token of Settings > Users & Permissions > API. Make it a service token, so that it outlives "
        "the person who created it."
    )
    webhook_secret: SecretRef | None = Field(
        default=None,
        description="What the webhook's API key field holds; Orca sends it in the Authorization header as it stands. "
        "Without it this instance takes no webhooks.",
    )


WEBHOOK = Webhook(
    note="Settings > Connections > Integrations > Webhook: enter the URL of this instance and, as API key, the value behind "
    "`webhook_secret`; choose all alert fields in JSON as the body. Orca signs nothing and the body is a template its user "
    "may edit, so a delivery is a hint: the alert is fetched again before anything is decided on it. That the key arrives "
    "in Authorization without a prefix is known from a public receiver of Orca webhooks, not from Orca's documentation."
)

PERMISSIONS = (
    Permission(
        "Viewer (role of the API token, scoped to the accounts watched)",
        "reads single alerts; that Viewer is enough is said by integrators of Orca, not by Orca's public pages",
    ),
)
