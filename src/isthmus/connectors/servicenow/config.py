"""What one ServiceNow instance needs to be told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from isthmus.contracts.wire import ConnectorConfig, OriginUrl, SecretRef
from isthmus.model.assessment import Verdict

SysId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
"""ServiceNow's own id of a record."""

Column = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,79}$")]
"""The name of a table or of a column."""

Code = Annotated[str, StringConstraints(pattern=r"^-?[A-Za-z0-9_. ]{1,80}$")]
"""The stored value of a choice, which is not what people see."""

OWNED = frozenset(
    {"sys_id", "number", "correlation_id", "correlation_display", "short_description", "description", "work_notes", "state"}
)
"""Columns the connector itself depends on; settings may not give them another meaning."""


class SnowConfig(ConnectorConfig):
    """Where it is, as whom we speak, and the codes this customer uses.

    Either `user` and `password`, or `client_id` and `client_secret` for OAuth client credentials. `groups` leads from an
    owner of ours to the sys_id of an assignment group, `group` is for every other owner. `severities`, `priorities`
    and `states` are codes of choice lists, which customers change; `states` is only read. `columns` writes a part of the
    case to a column of the customer's own, `constants` are written once, when a case is opened. `verdicts` leads from a
    `close_code` to our verdict: a code that is not listed is shown, and counts as no verdict.
    """

    origin: OriginUrl
    user: str = ""
    password: SecretRef | None = None
    client_id: str = ""
    client_secret: SecretRef | None = None
    table: Column = "sn_si_incident"
    groups: Mapping[str, SysId] = Field(default_factory=dict)
    group: SysId | Literal[""] = ""
    severity_column: Column | Literal[""] = "severity"
    severities: Mapping[str, Code] = Field(
        default_factory=lambda: {"critical": "1", "high": "1", "medium": "2", "low": "3", "informational": "3", "unknown": "1"}
    )
    priority_column: Column | Literal[""] = "priority"
    priorities: Mapping[str, Code] = Field(default_factory=lambda: {"act": "1", "attend": "2", "track*": "3", "track": "4"})
    states: Mapping[Code, str] = Field(
        default_factory=lambda: {
            "10": "draft",
            "16": "analysis",
            "18": "contain",
            "19": "eradicate",
            "3": "closed",
            "7": "cancelled",
        }
    )
    opened_state: Code | Literal[""] = ""
    cancelled_state: Code = "7"
    cancelled_code: Code | Literal[""] = ""
    columns: Mapping[Literal["score", "verdict", "confidence", "impact", "root_cause"], Column] = Field(default_factory=dict)
    constants: Mapping[Column, str] = Field(default_factory=dict)
    verdicts: Mapping[str, Verdict] = Field(default_factory=dict)
    per_second: float = Field(default=5.0, gt=0, le=100)

    @model_validator(mode="after")
    def _speaks_as_somebody(self) -> SnowConfig:
        basic, oauth = (bool(self.user), bool(self.password)), (bool(self.client_id), bool(self.client_secret))
        if any(basic) == any(oauth) or not (all(basic) or all(oauth)):
            raise ValueError("give either user and password, or client_id and client_secret")
        return self

    @model_validator(mode="after")
    def _columns_mean_one_thing(self) -> SnowConfig:
        used = [self.severity_column, self.priority_column, "assignment_group", *self.columns.values(), *self.constants]
        named = [name for name in used if name]
        if taken := OWNED & set(named):
            raise ValueError(f"columns {sorted(taken)} are written by Isthmus itself")
        if twice := {name for name in named if named.count(name) > 1}:
            raise ValueError(f"columns {sorted(twice)} are used twice")
        return self
