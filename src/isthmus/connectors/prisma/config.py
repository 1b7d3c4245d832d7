"""What an instance of Prisma Cloud needs to know, what its access key must be allowed, and what to enter for its webhook."""

from __future__ import annotations

from pydantic import Field

from isthmus.contracts.connector import Permission, Webhook
from isthmus.contracts.wire import ConnectorConfig, OriginUrl, SecretRef


class PrismaConfig(ConnectorConfig):
    """One Prisma Cloud tenant, with its Compute console where there is one."""

    origin: OriginUrl = Field(
        description="The tenant's API, without path, such as https://api.prismacloud.io or https://api.eu.prismacloud.io: "
        "the console's address with api in place of app."
    )
    access_key_id: SecretRef = Field(description="The access key's id (Settings > Access Control > Access Keys).")
    secret_key: SecretRef = Field(description="The access key's secret. The key has the permissions of whoever created it.")
    compute_origin: OriginUrl | None = Field(
        default=None,
        description="Host of the Compute console, from Compute > Manage > System > Utilities > Path to Console, without the "
        "path. Without it, nothing Compute told can be fetched again.",
    )
    compute_path: str = Field(
        default="",
        pattern=r"^(?:/[A-Za-z0-9_-]{1,64}){0,3}$",
        description="The path in that Path to Console, such as /us-1-111573457; empty when it has none.",
    )
    compute_version: str = Field(
        default="v1",
        pattern=r"^v[0-9]{1,3}(?:\.[0-9]{1,3})?$",
        description="Version of the Compute API, such as v34.04; a console answers to its own and to a few before it. v1 is "
        "what Palo Alto's own client asks for.",
    )
    webhook_secret: SecretRef | None = Field(
        default=None,
        description="What the webhook's custom header X-Isthmus-Token holds. Without it this instance takes no webhooks.",
    )


WEBHOOK = Webhook(
    header="x-isthmus-token",
    note="Settings > Integrations > Webhook: enter the URL of this instance and, under custom headers, X-Isthmus-Token with "
    "the value behind `webhook_secret`, marked secure. Prisma Cloud signs nothing; it also has an auth token of its own for "
    "webhooks, but which header carries that is not documented, so it is not used here. A delivery is a hint: the alert is "
    "fetched again before anything is decided on it. Compute's webhooks are another matter, see what it cannot do.",
)

PERMISSIONS = (
    Permission(
        "Account Group Read Only (permission group of the access key's role)",
        "reads CSPM alerts of the account groups given to the role; a custom permission group that may view alerts is less "
        "still, but what its boxes are called is not public",
    ),
    Permission("monitorRuntimeIncidents (Compute)", "reads incidents"),
    Permission("monitorRuntimeContainers (Compute)", "reads run-time audits of containers"),
    Permission("monitorRuntimeHosts (Compute)", "reads run-time, file integrity and log inspection audits of hosts"),
    Permission("monitorRuntimeServerless (Compute)", "reads run-time audits of app-embedded defenders"),
    Permission("monitorImages (Compute)", "reads scans of deployed and registry images and of containers"),
    Permission(
        "monitorCI (Compute)",
        "reads scans of images in pipelines; names of Compute's permissions are those of its API description, and which "
        "built-in role has which is not said there",
    ),
)
