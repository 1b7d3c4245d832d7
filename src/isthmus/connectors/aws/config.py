"""What one AWS account of ours needs to know."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from isthmus.contracts.wire import ConnectorConfig, OriginUrl, SecretRef

_PARTITION = r"arn:aws(?:-cn|-us-gov)?"
Region = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(?:-[a-z]+){1,3}-[0-9]{1,2}$")]
RoleArn = Annotated[str, StringConstraints(pattern=rf"^{_PARTITION}:iam::[0-9]{{12}}:role/[A-Za-z0-9_+=,.@/-]{{1,576}}$")]
PrincipalArn = Annotated[
    str, StringConstraints(pattern=rf"^{_PARTITION}:iam::[0-9]{{12}}:(?:root|(?:role|user)/[A-Za-z0-9_+=,.@/-]{{1,576}})$")
]
"""A role, a user or an account's root. No wildcards: an exemption names somebody."""


class AwsConfig(ConnectorConfig):
    """One account. `regions` are the ones we may look and act in.

    Credentials are a pair of keys, a profile, or nothing, which leaves it to botocore's own chain; `role_arn` is then
    assumed with them. `break_glass` are principals a bucket's quarantine never shuts out.
    """

    account: Annotated[str, StringConstraints(pattern=r"^[0-9]{12}$")] = Field(
        description="The account's id; checked with AWS."
    )
    regions: Annotated[tuple[Region, ...], Field(min_length=1)] = Field(
        default=("us-east-1",), description="Where we may look and act."
    )
    role_arn: RoleArn | None = Field(default=None, description="A role to assume with the credentials.")
    external_id: SecretRef | None = Field(default=None, description="The external id its trust policy asks for.")
    access_key_id: SecretRef | None = Field(default=None, description="Id of an access key; without it botocore's own chain.")
    secret_access_key: SecretRef | None = Field(default=None, description="The secret that goes with it.")
    profile: str | None = Field(default=None, description="A profile of your AWS configuration instead of a key.")
    endpoint_url: OriginUrl | None = Field(default=None, description="Another AWS than Amazon's, as in the lab.")
    break_glass: tuple[PrincipalArn, ...] = Field(
        default=(), description="Principals a bucket's quarantine never shuts out; it needs at least one, or a role of ours."
    )
    isolation_group: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,100}$")] = Field(
        default="isthmus-isolation", description="Name of the empty security group instances are moved to, one for each VPC."
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.access_key_id is None) != (self.secret_access_key is None):
            raise ValueError("access_key_id and secret_access_key go together")
        if self.profile is not None and self.access_key_id is not None:
            raise ValueError("either a profile or a pair of keys, not both")
        if self.external_id is not None and self.role_arn is None:
            raise ValueError("external_id is for a role: role_arn is missing")
        if self.isolation_group.startswith("sg-"):
            raise ValueError("isolation_group is a name; AWS allows none that begins with sg-")
        if self.role_arn is not None and self.role_arn.split(":")[4] != self.account:
            raise ValueError(f"role_arn is of another account than {self.account}")
        return self
