"""What one SQS queue needs to know."""

from __future__ import annotations

import re
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints, model_validator

from isthmus.contracts.wire import ConnectorConfig, OriginUrl, SecretRef

Region = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(?:-[a-z]+){1,3}-[0-9]{1,2}$")]
RoleArn = Annotated[str, StringConstraints(pattern=r"^arn:aws(?:-cn|-us-gov)?:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]{1,576}$")]
QueueUrl = Annotated[
    str, StringConstraints(pattern=r"^https?://[A-Za-z0-9.:-]{1,255}/[0-9]{12}/[A-Za-z0-9_-]{1,80}(?:\.fifo)?$")
]
_AWS = r"https://sqs(?:-fips)?\.{region}\.(?:amazonaws\.com(?:\.cn)?|api\.aws)"


class SqsConfig(ConnectorConfig):
    """One queue, and whose alerts are in it.

    Credentials are a pair of keys, a profile, or nothing, which leaves it to botocore's own chain; `role_arn` is then
    assumed with them. Whoever may send to the queue can write alerts: they are hints, as from a webhook, unless `trusted`.
    """

    queue_url: QueueUrl = Field(description="The queue's URL, as AWS shows it.")
    region: Region = Field(description="The region it is in.")
    reads: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")] = Field(
        description="Whose alerts these are: another instance, such as wiz-main, or a connector, such as guardduty."
    )
    trusted: bool = Field(
        default=False,
        description="You vouch that only the platform may send to this queue, by its policy and by your own permissions: "
        "then alerts count as if we had pulled them. Refused where `reads` names an instance that can be asked back.",
    )
    wait_seconds: int = Field(default=5, ge=0, le=8, description="How long one call waits for the first message.")
    visibility_seconds: int = Field(
        default=60, ge=2, le=3_600, description="How long a message is ours before it comes again; prolonged while storing."
    )
    access_key_id: SecretRef | None = Field(default=None, description="Id of an access key; without it botocore's own chain.")
    secret_access_key: SecretRef | None = Field(default=None, description="The secret that goes with it.")
    profile: str | None = Field(default=None, description="A profile of your AWS configuration instead of a key.")
    role_arn: RoleArn | None = Field(default=None, description="A role to assume with the credentials.")
    external_id: SecretRef | None = Field(default=None, description="The external id its trust policy asks for.")
    endpoint_url: OriginUrl | None = Field(
        default=None, description="Where to send requests instead of the queue URL's host: a VPC endpoint, or the lab."
    )
    sts_endpoint_url: OriginUrl | None = Field(default=None, description="The same for assuming the role.")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.access_key_id is None) != (self.secret_access_key is None):
            raise ValueError("access_key_id and secret_access_key go together")
        if self.profile is not None and self.access_key_id is not None:
            raise ValueError("either a profile or a pair of keys, not both")
        if self.external_id is not None and self.role_arn is None:
            raise ValueError("external_id is for a role: role_arn is missing")
        if self.endpoint_url is None and not re.fullmatch(_AWS.format(region=re.escape(self.region)), self.origin):
            raise ValueError(f"queue_url is not one of AWS's in {self.region}; another host needs endpoint_url")
        return self

    @property
    def origin(self) -> str:
        """Where requests go."""
        parts = urlsplit(self.queue_url)
        return self.endpoint_url or f"{parts.scheme}://{parts.netloc}"
