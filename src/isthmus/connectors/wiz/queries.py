"""What is asked of Wiz's GraphQL API, as text: fields `WizSource` reads, under names public integrations use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

_CATEGORIES = "securitySubCategories { title category { name framework { id name } } }"
_ISSUE = f"""
  id type status severity createdAt updatedAt statusChangedAt resolvedAt resolutionReason
  sourceRule {{
    __typename
    ... on Control {{ id name controlDescription: description risks {_CATEGORIES} }}
    ... on CloudEventRule {{ id name cloudEventRuleDescription: description risks {_CATEGORIES} }}
    ... on CloudConfigurationRule {{ id name cloudConfigurationRuleDescription: description risks {_CATEGORIES} }}
  }}
  entitySnapshot {{
    id type nativeType name status cloudPlatform cloudProviderURL providerId externalId region
    subscriptionExternalId subscriptionName tags
  }}
"""
_RESOURCE = "id name type nativeType externalId providerUniqueId region cloudAccount { externalId cloudProvider }"
_DETECTION = f"""
  id type severity description createdAt updatedAt startedAt endedAt
  issue {{ id url }}
  cloudAccounts {{ id name externalId cloudProvider }}
  primaryResource {{ {_RESOURCE} }}
  resources {{ {_RESOURCE} }}
  primaryActor {{ id name type nativeType externalId providerUniqueId accessKeyId hasAdminPrivileges }}
  actors {{ id name type externalId providerUniqueId }}
  triggeringEvents(first: 10) {{ nodes {{ ... on CloudEvent {{ id actorIP timestamp commandLine }} }} }}
  ruleMatch {{ rule {{ id name {_CATEGORIES} }} }}
"""
_VULNERABILITY = """
  id portalUrl name detailedName version fixedVersion CVEDescription description
  severity CVSSSeverity vendorSeverity score epssProbability hasExploit hasCisaKevExploit
  status resolutionReason firstDetectedAt lastDetectedAt resolvedAt link
  vulnerableAsset {
    ... on VulnerableAssetBase {
      id type name region providerUniqueId cloudPlatform subscriptionExternalId subscriptionName tags
      hasLimitedInternetExposure hasWideInternetExposure
    }
    ... on VulnerableAssetVirtualMachine { nativeType }
  }
"""
_CONFIGURATION = f"""
  id targetExternalId firstSeenAt analyzedAt severity result status
  resource {{
    id providerId name nativeType type region
    subscription {{ id name externalId cloudProvider }}
    tags {{ key value }}
  }}
  rule {{ id graphId name description }}
  {_CATEGORIES}
"""


def _listing(root: str, filters: str, order: str, node: str, more: str = "") -> str:
    ordered = f", $orderBy: {order}" if order else ""
    by = " orderBy: $orderBy" if order else ""
    return (
        f"query Isthmus($filterBy: {filters}, $first: Int, $after: String{ordered}) {{\n"
        f"{root}(filterBy: $filterBy first: $first after: $after{by}{more}) {{\n"
        f"nodes {{{node}}}\npageInfo {{ hasNextPage endCursor }}\n}}\n}}"
    )


def _single(root: str, node: str) -> str:
    return f"query Isthmus($id: ID!) {{\n{root}(id: $id) {{{node}}}\n}}"


_ISSUES = _listing("issues: issuesV2", "IssueFilters", "IssueOrder", _ISSUE)
# Continuity: Wiz holds back what it cannot yet show in order, so that paging by time leaves nothing out.
_DETECTIONS = _listing("detections", "DetectionFilters", "DetectionOrder", _DETECTION, " enforceTimestampContinuity: true")
_ANY_STATUS = {"status": ["OPEN", "IN_PROGRESS", "RESOLVED", "REJECTED"]}


@dataclass(frozen=True, slots=True)
class Stream:
    """A list that can be pulled: its query, the key of the reply, the time it is filtered by, and what else it asks."""

    root: str
    query: str
    time: str
    order: Mapping[str, str] | None = None
    filters: Mapping[str, Any] = field(default_factory=dict)


def _by(order: str) -> dict[str, str]:
    return {"field": order, "direction": "ASC"}


STREAMS = {
    "issues": Stream("issues", _ISSUES, "createdAt", _by("CREATED_AT"), _ANY_STATUS),
    "issue_changes": Stream("issues", _ISSUES, "statusChangedAt", _by("CREATED_AT"), _ANY_STATUS),
    "detections": Stream("detections", _DETECTIONS, "createdAt", _by("CREATED_AT")),
    "vulnerabilities": Stream(
        "vulnerabilityFindings",
        _listing("vulnerabilityFindings", "VulnerabilityFindingFilters", "", _VULNERABILITY),
        "updatedAt",
    ),
    "configuration": Stream(
        "configurationFindings",
        _listing("configurationFindings", "ConfigurationFindingFilters", "ConfigurationFindingOrder", _CONFIGURATION),
        "analyzedAt",
        _by("FIRST_SEEN_AT"),
    ),
}


@dataclass(frozen=True, slots=True)
class Lookup:
    """One record by its id: what it is called, the key of the reply, the query and its variables."""

    title: str
    root: str
    query: str
    variables: Callable[[str], dict[str, Any]]


LOOKUPS = (
    Lookup("issue", "issues", _ISSUES, lambda own: {"filterBy": {"id": own}, "first": 1}),
    Lookup("detection", "detections", _DETECTIONS, lambda own: {"filterBy": {"id": {"equals": [own]}}, "first": 1}),
    Lookup(
        "vulnerability finding",
        "vulnerabilityFinding",
        _single("vulnerabilityFinding", _VULNERABILITY),
        lambda own: {"id": own},
    ),
    Lookup(
        "configuration finding",
        "configurationFinding",
        _single("configurationFinding", _CONFIGURATION),
        lambda own: {"id": own},
    ),
)
