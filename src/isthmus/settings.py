"""The whole configuration as frozen types. Errors name the file, the key and the line.

A settings file is YAML read as plain text values (an account id stays the digits you wrote); unknown keys, duplicate
keys and values of the wrong kind are refused, all at once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from isthmus.contracts.wire import SecretRef
from isthmus.model.errors import Untrusted
from isthmus.model.estate import Account, Criticality, Environment, Estate, Expected
from isthmus.record.settings import RecordSettings

_LARGEST_ORDER = 65_536
NAME = r"^[a-z0-9][a-z0-9-]{0,62}$"
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


class InstanceSettings(_Frozen):
    """One connected platform. Its name is what stands in webhook paths, finding keys and messages."""

    connector: str = Field(description="Which vendor: a name of `isthmus connectors list`.")
    tenant: str = Field(default="default", pattern=NAME, description="Whose it is.")
    config: Mapping[str, Any] = Field(
        default_factory=dict, description="What the connector needs: `isthmus connectors describe NAME`."
    )


class ServerSettings(_Frozen):
    """How `isthmus serve` can be reached."""

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8443, ge=0, le=65535, description="Port; 0 takes a free one.")
    url: str = Field(default="", description="How people reach it from outside, for links in cases.")
    certificate: Path | None = Field(default=None, description="TLS certificate chain (PEM). Needed beyond loopback.")
    private_key: Path | None = Field(default=None, description="Its private key (PEM).")
    behind_proxy: bool = Field(default=False, description="TLS ends at a proxy in front of us on a network we trust.")


class ClockSettings(_Frozen):
    """How long people have, and how long a containment stands by itself."""

    approve_minutes: int = Field(default=30, ge=1, le=10_080, description="A word after this does not count.")
    execute_minutes: int = Field(default=15, ge=1, le=1_440, description="After that nothing is carried out any more.")
    lease_hours: int = Field(default=8, ge=1, le=720, description="A containment takes itself back unless somebody renews it.")
    pull_seconds: int = Field(default=30, ge=1, le=86_400, description="How often platforms are asked what is new.")


class RetentionSettings(_Frozen):
    """What is deleted when. The record stays whole: it holds commitments, not texts."""

    raw_days: int = Field(default=30, ge=1, description="Deliveries as they came in.")
    closed_days: int = Field(default=365, ge=1, description="Findings and incidents after they were closed.")
    record_bodies_days: int = Field(default=1_095, ge=1, description="Bodies of entries; their commitments stay for ever.")


class WatchSettings(_Frozen):
    """When somebody is called, and where. The addresses are secrets: whoever knows one may write there."""

    unread_seconds: int = Field(default=60, ge=1, le=86_400, description="A delivery that waits longer to be read calls.")
    undecided_seconds: int = Field(
        default=300, ge=1, le=86_400, description="An incident without a disposition, or overdue, for longer calls."
    )
    url: SecretRef | None = Field(default=None, description="Where pages go, as JSON by POST. None: they are only logged.")
    heartbeat: SecretRef | None = Field(default=None, description="Where a sign of life is sent every minute.")


class TelemetrySettings(_Frozen):
    """Where traces go. They hold ids and times, no text of alerts."""

    otlp: str = Field(default="", description="OpenTelemetry collector over HTTP, such as https://otel.example/v1/traces.")

    @field_validator("otlp")
    @classmethod
    def _safe(cls, value: str) -> str:
        if value and not value.startswith(("https://", "http://127.0.0.1:", "http://localhost:")):
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
    instances: Mapping[str, InstanceSettings] = Field(default_factory=dict, description="Connected platforms by name.")
    policy: Path | None = Field(default=None, description="Folder of the policy bundle. None: read-only, nothing is written.")
    guard: Path | None = Field(default=None, description="File of the guard. None: its shipped limits.")
    data: Path | None = Field(default=None, description="Folder of database, keys and kill switch.")
    database: str | None = Field(
        default=None,
        description="A PostgreSQL instead of the embedded database: postgresql://user@host/name. Every process on it is "
        "given the same keys (`data`/keys).",
    )
    database_password: SecretRef | None = Field(default=None, description="Its password, by reference.")
    authority: Path | None = Field(default=None, description="Certificate authority (PEM) of platforms with a private one.")
    server: ServerSettings = Field(default_factory=ServerSettings, description="How `isthmus serve` can be reached.")
    clocks: ClockSettings = Field(default_factory=ClockSettings, description="How long things may take.")
    watch: WatchSettings = Field(default_factory=WatchSettings, description="When somebody is called, and where.")
    telemetry: TelemetrySettings = Field(default_factory=TelemetrySettings, description="Where traces go.")
    retention: RetentionSettings = Field(default_factory=RetentionSettings, description="What is deleted when.")
    record: RecordSettings = Field(default_factory=RecordSettings, description="The record of what was done.")

    @field_validator("instances")
    @classmethod
    def _named(cls, value: Mapping[str, InstanceSettings]) -> Mapping[str, InstanceSettings]:
        wrong = [name for name in value if not re.fullmatch(NAME, name)]
        if wrong:
            raise ValueError(f"{wrong[0]!r}: a name is lower-case letters, digits and dashes")
        return value

    def estate(self) -> Estate:
        """What these settings say of the estate."""
        return Estate(
            accounts={
                key: Account(one.name, one.environment, one.owner, one.criticality) for key, one in self.accounts.items()
            },
            crown_jewels=self.crown_jewels,
            expected=tuple(Expected(one.addresses, one.until, one.why) for one in self.expected),
        )


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings, and where each key stands, for errors found later. Relative paths are beside the file."""

    settings: Settings
    name: str
    lines: Mapping[tuple[str, ...], int]

    def told(self, error: ValidationError, *under: str) -> str:
        """Everything that is wrong with the values under this key, with file, line and key."""
        return "\n".join(_told(one, self.lines, self.name, under) for one in error.errors())

    def at(self, path: Path | None) -> Path | None:
        """The path a value names, seen from the file it stands in."""
        return None if path is None else Path(self.name).parent / path.expanduser()


DEFAULTS = Loaded(Settings(), "", {})


def load(path: Path) -> Settings:
    """The settings in a file. Raises `Untrusted` naming file, key and line of everything that is wrong with it."""
    return read(path).settings


def read(path: Path) -> Loaded:
    """As `load`, with the places of the keys."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise Untrusted(str(reason), str(path)) from None
    return _parsed(text, str(path))


def parse(text: str, name: str) -> Settings:
    """As `load`, from text; `name` is used in errors."""
    return _parsed(text, name).settings


def _parsed(text: str, name: str) -> Loaded:
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
        return Loaded(Settings.model_validate(values), name, lines)
    except ValidationError as error:
        raise Untrusted("\n".join(_told(one, lines, name) for one in error.errors())) from None


def _told(error: Any, lines: Mapping[tuple[str, ...], int], name: str, under: tuple[str, ...] = ()) -> str:
    path = (*under, *(str(step) for step in error["loc"]))
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
