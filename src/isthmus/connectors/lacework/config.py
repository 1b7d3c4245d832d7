"""What an instance of Lacework needs to know, and what has to be set up on Lacework's side."""

from __future__ import annotations

from pydantic import Field

from isthmus.contracts.connector import Permission, Webhook
from isthmus.contracts.wire import ConnectorConfig, OriginUrl, SecretRef


class LaceworkConfig(ConnectorConfig):
    """One Lacework account (or one sub-account of an organisation), spoken to with one API key."""

    origin: OriginUrl = Field(description="Origin of the account, such as https://tidewater.lacework.net.")
    key_id: SecretRef = Field(description="Id of the API key (keyId).")
    secret: SecretRef = Field(description="Secret of the API key.")
    sub_account: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$|^$",
        description="Name of the sub-account, where the key belongs to an organisation; empty otherwise.",
    )
    webhook_secret: SecretRef | None = Field(
        default=None, description="The unguessable part of the webhook's address; without it webhooks are not taken."
    )


WEBHOOK = Webhook(
    in_path=True,
    note="Lacework's webhook channel sends neither a signature nor a header of ours: its only secret is an unguessable token "
    "in the address, so enter the address with it, over https, and treat the address as a password. Nothing is acted on before "
    "the alert has been read again by its id.",
)

PERMISSIONS = (
    Permission(
        "a service user (or user) with the role Read-only User, and an API key of it",
        "alerts with their details, and vulnerability rows, read by id; the role's name is from secondary sources",
    ),
)

CANNOT = {
    "reopen an alert": "Lacework has no call for it: a closed alert stays closed",
    "read a package finding by its id": "such rows are the answer to a scan of a list of packages, and are not kept",
    "read a finding older than seven days by its id": "one search of vulnerability rows reaches over seven days at most",
    "sign or authenticate a webhook": "its webhook channel sends no header and no signature",
}
