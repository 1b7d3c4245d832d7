"""The whole configuration as frozen types. Errors name the file, the key and the line.

A settings file is YAML read as plain text values (an account id stays the digits you wrote); unknown keys, duplicate
keys and values of the wrong kind are refused, all at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from isthmus.model.errors import Untrusted
from isthmus.model.estate import Account, Criticality, Environment, Estate, Expected

_LARGEST_ORDER = 65_536
KEV_FEED = "https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json"
EPSS_FEED = "https://epss.empiricalsecurity.com/epss_scores-current.csv.gz"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AccountSettings(_Frozen):
    """What we know of one AWS account, Azure subscription or GCP project."""

    name: str = Field(default="", description="How people call it.")
    environment: Environment = Field(
        default=Environment.UNKNOWN, description="production, staging, development or sandbox; unknown counts as production."
    )
    owner: str = Field(default="", description="The team that gets its incidents.")
    criticality: Criticality = Field(
        default=Criticality.MEDIUM, description="high, medium or low: what it is worth to the business."
    )


class ExpectedSettings(_Frozen):
    """Activity you ordered yourselves, such as a scanner or a penetration test."""

    addresses: tuple[IPv4Network | IPv6Network, ...] = Field(
        description="Where it comes from: addresses, or networks of at most 65,536 addresses.", min_length=1
    )
    until: datetime = Field(
        description="When the order ends: a time, or a date, which counts to its end (UTC). What happens later is an attack."
    )
    why: str = Field(description="Who ordered it and why.", min_length=1)

    @field_validator("addresses")
    @classmethod
    def _small(cls, value: tuple[IPv4Network | IPv6Network, ...]) -> tuple[IPv4Network | IPv6Network, ...]:
        if any(one.num_addresses > _LARGEST_ORDER for one in value):
            raise ValueError(f"a network of more than {_LARGEST_ORDER:,} addresses is not an order")
        return value

    @field_validator("until", mode="before")
    @classmethod
    def _to_the_end(cls, value: object) -> object:
        return f"{value}T23:59:59.999999" if isinstance(value, str) and len(value.strip()) == len("2026-12-31") else value

    @field_validator("until")
    @classmethod
    def _in_utc(cls, value: datetime) -> datetime:
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value


class IntelSettings(_Frozen):
    """Where `isthmus intel refresh` takes its tables from."""

    kev: str = Field(default=KEV_FEED, description="CISA's Known Exploited Vulnerabilities catalogue, JSON.")
    epss: str = Field(default=EPSS_FEED, description="FIRST's EPSS scores of the day, gzipped CSV.")

    @field_validator("kev", "epss")
    @classmethod
    def _safe(cls, value: str) -> str:
        if not value.startswith(("https://", "http://127.0.0.1:", "http://localhost:")):
            raise ValueError("must be an https address")
        return value


class Settings(_Frozen):
    """The file as a whole. Everything has a default; an empty file is valid."""

    accounts: Mapping[str, AccountSettings] = Field(
        default_factory=dict, description="Accounts, subscriptions and projects by id."
    )
    crown_jewels: frozenset[str] = Field(
        default=frozenset(), description="Ids of assets that matter most (ARN, bucket, instance id)."
    )
    expected: tuple[ExpectedSettings, ...] = Field(default=(), description="Activity you ordered yourselves.")
    intel: IntelSettings = Field(default_factory=IntelSettings, description="Feeds of intelligence.")

    def estate(self) -> Estate:
        """What these settings say of the estate."""
        return Estate(
            accounts={
                key: Account(one.name, one.environment, one.owner, one.criticality) for key, one in self.accounts.items()
            },
            crown_jewels=self.crown_jewels,
            expected=tuple(Expected(one.addresses, one.until, one.why) for one in self.expected),
        )


def load(path: Path) -> Settings:
    """The settings in a file. Raises `Untrusted` naming file, key and line of everything that is wrong with it."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise Untrusted(str(reason), str(path)) from None
    return parse(text, str(path))


def parse(text: str, name: str) -> Settings:
    """As `load`, from text; `name` is used in errors."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        lines = dict(_lines(node, name))
        values: Any = yaml.load(text, Loader=yaml.BaseLoader) or {}  # noqa: S506 - BaseLoader makes nothing but text
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{name} line {mark.line + 1}" if mark else name
        raise Untrusted(f"not YAML: {getattr(error, 'problem', None) or 'unreadable'}", place) from None
    except RecursionError:
        raise Untrusted("nested too deep", name) from None
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise Untrusted("\n".join(_told(one, lines, name) for one in error.errors())) from None


def _told(error: Any, lines: Mapping[tuple[str, ...], int], name: str) -> str:
    path = tuple(str(step) for step in error["loc"])
    known = next((path[:length] for length in range(len(path), 0, -1) if path[:length] in lines), ())
    line = f" line {lines[known]}" if known else ""
    message = "unknown key" if error["type"] == "extra_forbidden" else error["msg"]
    return f"{name}{line}: {'.'.join(path) or 'the file'}: {message}"


def _lines(node: yaml.Node | None, name: str, path: tuple[str, ...] = ()) -> Any:
    """(path, line) of every key and item; a key written twice is refused here, YAML would take the last."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.value in seen:
                raise Untrusted(f"{'.'.join((*path, key.value))}: key written twice", f"{name} line {line}")
            seen.add(key.value)
            yield (*path, key.value), line
            yield from _lines(value, name, (*path, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for position, item in enumerate(node.value):
            yield (*path, str(position)), item.start_mark.line + 1
            yield from _lines(item, name, (*path, str(position)))
