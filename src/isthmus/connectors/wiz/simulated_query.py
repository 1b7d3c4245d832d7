"""Enough of GraphQL for the simulated Wiz: reads one query, checks it against the fields there are, and cuts replies to it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

_TOKEN = re.compile(r'\.\.\.|[A-Za-z_]\w*|\$\w+|"[^"\\]*"|-?\d+|[{}()\[\]:!=]|[\s,]+|(.)', re.DOTALL)
_NAME = re.compile(r"[A-Za-z_]\w*")

_RULE = "id name description risks securitySubCategories:SubCategory"
_SEEN = "id name type nativeType externalId providerUniqueId"
TYPES: Mapping[str, str] = {
    "Issue": "id type status severity createdAt updatedAt statusChangedAt resolvedAt dueAt resolutionReason "
    "sourceRule:SourceRule entitySnapshot:Entity",
    "SourceRule": "__typename",
    "Control": _RULE,
    "CloudEventRule": f"{_RULE} sourceType type",
    "CloudConfigurationRule": f"{_RULE} remediationInstructions serviceType",
    "SubCategory": "id title category:Category",
    "Category": "id name framework:Framework",
    "Framework": "id name",
    "Entity": "id type nativeType name status cloudPlatform cloudProviderURL providerId externalId region "
    "subscriptionExternalId subscriptionName subscriptionTags tags createdAt",
    "Detection": "id type origins severity description createdAt updatedAt startedAt endedAt issue:IssueOfDetection "
    "cloudAccounts:CloudAccount primaryResource:Resource resources:Resource primaryActor:Actor actors:Actor "
    "triggeringEvents:Events ruleMatch:RuleMatch",
    "IssueOfDetection": "id url",
    "CloudAccount": "id name externalId cloudProvider",
    "Resource": f"{_SEEN} region cloudAccount:CloudAccount",
    "Actor": f"{_SEEN} accessKeyId hasAdminPrivileges hasHighPrivileges userAgent email",
    "Events": "totalCount nodes:Event",
    "Event": "",
    "CloudEvent": "id description actorIP timestamp commandLine rawAuditLogRecord",
    "RuleMatch": "rule:MatchedRule",
    "MatchedRule": "id name builtin sourceType securitySubCategories:SubCategory",
    "VulnerabilityFinding": "id portalUrl name detailedName version fixedVersion CVEDescription description severity "
    "CVSSSeverity vendorSeverity nvdSeverity score epssProbability hasExploit hasCisaKevExploit status resolutionReason "
    "firstDetectedAt lastDetectedAt resolvedAt link locationPath vulnerableAsset:VulnerableAsset",
    "VulnerableAsset": "",
    "VulnerableAssetBase": "id type name region providerUniqueId cloudPlatform status subscriptionExternalId subscriptionName "
    "subscriptionId tags hasLimitedInternetExposure hasWideInternetExposure",
    "VulnerableAssetVirtualMachine": "operatingSystem ipAddresses imageName nativeType",
    "ConfigurationFinding": "id targetExternalId firstSeenAt analyzedAt severity result status remediation "
    "resource:ConfiguredResource rule:ConfigurationRule securitySubCategories:SubCategory",
    "ConfiguredResource": "id providerId name nativeType type region subscription:CloudAccount tags:Tag",
    "Tag": "key value",
    "ConfigurationRule": "id graphId name description remediationInstructions",
    "PageInfo": "hasNextPage endCursor",
}
_PARTS = {
    "SourceRule": ("Control", "CloudEventRule", "CloudConfigurationRule"),
    "Event": ("CloudEvent",),
    "VulnerableAsset": ("VulnerableAssetBase", "VulnerableAssetVirtualMachine"),
}


class BadQuery(ValueError):
    """Wiz would not take this query."""


@dataclass
class Selection:
    """A field asked for, or (with `on`) a part of a type that has several."""

    name: str
    alias: str = ""
    on: str = ""
    arguments: dict[str, str] = field(default_factory=dict)
    inner: list[Selection] = field(default_factory=list)


@dataclass
class Query:
    """One operation: the declared types of its variables, and its one root field."""

    variables: dict[str, str]
    root: Selection


class _Reader:
    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._at = 0

    def next(self) -> str:
        self._at += 1
        if self._at > len(self._tokens):
            raise BadQuery("Syntax Error: unexpected end")
        return self._tokens[self._at - 1]

    def name(self) -> str:
        token = self.next()
        if not _NAME.fullmatch(token):
            raise BadQuery(f"Syntax Error: expected a name, found {token}")
        return token

    def take(self, token: str) -> None:
        found = self.next()
        if found != token:
            raise BadQuery(f"Syntax Error: expected {token}, found {found}")

    def sees(self, token: str) -> bool:
        return self._at < len(self._tokens) and self._tokens[self._at] == token

    @property
    def done(self) -> bool:
        return self._at == len(self._tokens)

    def pairs(self) -> Iterator[tuple[str, str]]:
        """`(name: value …)`, values of one token, types with their marks."""
        self.take("(")
        while not self.sees(")"):
            name = self.next()
            self.take(":")
            value = self.next()
            while self.sees("!"):
                value += self.next()
            yield name, value
        self.take(")")

    def selections(self) -> list[Selection]:
        self.take("{")
        found = []
        while not self.sees("}"):
            found.append(self._part() if self.sees("...") else self._field())
        self.take("}")
        return found

    def _part(self) -> Selection:
        self.take("...")
        self.take("on")
        on = self.name()
        return Selection("", on=on, inner=self.selections())

    def _field(self) -> Selection:
        name = alias = self.name()
        if self.sees(":"):
            self.take(":")
            name = self.name()
        arguments = dict(self.pairs()) if self.sees("(") else {}
        return Selection(name, alias, arguments=arguments, inner=self.selections() if self.sees("{") else [])


def _tokens(text: str) -> Iterator[str]:
    for match in _TOKEN.finditer(text):
        if match.group(1):
            raise BadQuery(f"Syntax Error: unexpected {match.group(1)!r}")
        if match.group().strip(" \t\r\n,"):
            yield match.group()


def parse(text: str) -> Query:
    """The query. Raises `BadQuery` for anything that is not one operation with one root field."""
    reader = _Reader(text)
    reader.take("query")
    if not reader.sees("(") and not reader.sees("{"):
        reader.name()
    variables = {name.lstrip("$"): kind for name, kind in reader.pairs()} if reader.sees("(") else {}
    roots = reader.selections()
    if len(roots) != 1 or roots[0].on or not reader.done:
        raise BadQuery("Syntax Error: one operation with one root field, please")
    return Query(variables, roots[0])


def _fields(kind: str) -> dict[str, str]:
    return dict(one.partition(":")[::2] for one in TYPES[kind].split())


def check(selections: list[Selection], kind: str) -> None:
    """Raises `BadQuery` when something is asked for that a type does not have, or an object without its fields."""
    if not selections:
        raise BadQuery(f'Field of type "{kind}" must have a selection of subfields')
    fields = _fields(kind)
    for one in selections:
        if one.on:
            if one.on not in _PARTS.get(kind, ()):
                raise BadQuery(f'Fragment cannot be spread here as "{kind}" can never be of type "{one.on}"')
            check(one.inner, one.on)
        elif one.name not in fields:
            raise BadQuery(f'Cannot query field "{one.name}" on type "{kind}"')
        elif fields[one.name]:
            check(one.inner, fields[one.name])
        elif one.inner:
            raise BadQuery(f'Field "{one.name}" must not have a selection since it has no subfields')


def cut(value: Any, selections: list[Selection]) -> Any:
    """Only what was asked for, under the names asked for; what the record does not say is null."""
    if isinstance(value, list):
        return [cut(one, selections) for one in value]
    if not isinstance(value, dict) or not selections:
        return value
    found: dict[str, Any] = {}
    for one in selections:
        if one.on:
            # The part of a record that says its type is of that type only; other records have all their parts.
            if value.get("__typename", one.on) == one.on:
                found |= cut(value, one.inner)
        else:
            found[one.alias] = cut(_held(value, one), one.inner)
    return found


def _held(value: dict[str, Any], one: Selection) -> Any:
    """A rule may be held as a reply once gave it, its description under an alias such as `controlDescription`."""
    if one.alias not in value and one.name == "description" and one.alias != one.name:
        return next((value[key] for key in value if key.lower().endswith("description")), None)
    return value.get(one.alias, value.get(one.name))
