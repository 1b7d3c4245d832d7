"""What an instance of Wiz needs to know, and what has to be set up on Wiz's side."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from isthmus.contracts.connector import Permission, Webhook
from isthmus.contracts.wire import ConnectorConfig, OriginUrl, SecretRef

StreamName = Literal["issues", "issue_changes", "detections", "vulnerabilities", "configuration"]


class WizConfig(ConnectorConfig):
    """One Wiz tenant, spoken to as one service account."""

    api_origin: OriginUrl = Field(
        description="Origin of the tenant's API endpoint (Wiz: user menu > Tenant info), such as https://api.eu1.app.wiz.io."
    )
    token_origin: OriginUrl = Field(
        default="https://auth.app.wiz.io",
        description="Origin that hands out tokens: https://auth.gov.wiz.io for Wiz for Gov, https://auth.wiz.io for old ones.",
    )
    audience: Literal["wiz-api", "beyond-api"] = Field(
        default="wiz-api", description="beyond-api only for old tenants, whose tokens come from https://auth.wiz.io."
    )
    client_id: SecretRef = Field(description="Client id of the service account.")
    client_secret: SecretRef = Field(description="Client secret of the service account.")
    webhook_secret: SecretRef | None = Field(
        default=None, description="What Wiz sends as bearer token with its webhooks; without it webhooks are not taken."
    )
    streams: tuple[StreamName, ...] = Field(
        default=("issues", "issue_changes", "detections", "vulnerabilities", "configuration"),
        description="What to pull. issues and issue_changes together tell of new issues and of every change of status.",
    )
    lookback_hours: int = Field(
        default=24, ge=1, le=720, description="How far back the first pull of a stream reaches, in hours."
    )
    overlap_minutes: int = Field(
        default=60,
        ge=5,
        le=1440,
        description="How far a pull reaches back behind the one before, in minutes; what Wiz shows later than this is missed.",
    )
    page_size: int = Field(default=100, ge=1, le=500, description="Records asked for at once.")
    match_only: bool = Field(default=False, description="Also pull detections that matched a rule and raised no threat.")
    passed_checks: bool = Field(default=False, description="Also pull configuration checks that pass; there are very many.")


WEBHOOK = Webhook(
    header="authorization",
    prefix="Bearer ",
    note="In Wiz, Settings > Integrations > Webhook: enter the address, choose bearer authentication, and enter the secret as "
    "the token. Wiz signs nothing: the body is a template its users may edit, so an alert is read again before it counts.",
)

PERMISSIONS = (
    Permission("read:issues", "issues, pulled and read by id"),
    Permission("read:detections", "Defend detections, pulled and read by id; the name is from secondary sources"),
    Permission("read:vulnerabilities", "vulnerability findings, pulled and read by id"),
    Permission("read:cloud_configuration", "configuration findings, pulled and read by id"),
)

CANNOT = {
    "pull changed severities": "Wiz's filters on issues know creation and change of status, not every update; a changed "
    "severity is seen when the issue is read by its id",
    "pull mended configuration findings": "a check that passes again and one that never failed look alike; set passed_checks, "
    "or read the finding by its id",
    "pull changed detections": "detections are pulled by their creation; a change is seen when one is read by its id",
}
