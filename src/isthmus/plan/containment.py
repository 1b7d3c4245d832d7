"""Which abilities fit an incident, the smallest first. A closed list: nothing outside it can be proposed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from isthmus.model.assets import Asset, AssetKind
from isthmus.model.facts import Fact
from isthmus.model.findings import Finding, Kind
from isthmus.model.incidents import Incident
from isthmus.model.plans import Action
from isthmus.plan.targets import cloud_of, target_of

_MOST_TARGETS = 8


@dataclass(frozen=True, slots=True)
class Ability:
    """A verb we know: on what, how much it takes away (`reach`, smaller first), whether it can be undone."""

    name: str
    cloud: str
    kind: AssetKind
    reach: int
    undoable: bool
    title: str


ABILITIES = (
    Ability("aws.deactivate_access_key", "aws", AssetKind.ACCESS_KEY, 1, True, "set the access key inactive"),
    Ability("aws.block_public_access", "aws", AssetKind.BUCKET, 1, True, "turn on all four public-access blocks of the bucket"),
    Ability("aws.revoke_open_ingress", "aws", AssetKind.SECURITY_GROUP, 1, True, "remove the rules open to every address"),
    Ability(
        "aws.isolate_instance", "aws", AssetKind.INSTANCE, 2, True, "move every network interface to an empty security group"
    ),
    Ability("aws.revoke_role_sessions", "aws", AssetKind.ROLE, 2, True, "deny sessions of the role issued before now"),
    Ability("aws.deny_user", "aws", AssetKind.USER, 2, True, "attach an explicit deny to the user"),
    Ability("aws.stop_function", "aws", AssetKind.FUNCTION, 2, True, "set the function's reserved concurrency to zero"),
    Ability("aws.stop_instance", "aws", AssetKind.INSTANCE, 3, True, "stop the instance (its memory is lost)"),
    Ability("azure.close_storage", "azure", AssetKind.BUCKET, 1, True, "switch off anonymous blob access"),
    Ability("azure.deny_open_inbound", "azure", AssetKind.SECURITY_GROUP, 1, True, "deny inbound from every address"),
    Ability("azure.isolate_vm", "azure", AssetKind.INSTANCE, 2, True, "attach a deny-all network security group"),
    Ability("azure.deallocate_vm", "azure", AssetKind.INSTANCE, 3, True, "deallocate the machine"),
    Ability("gcp.close_bucket", "gcp", AssetKind.BUCKET, 1, True, "enforce public access prevention"),
    Ability("gcp.disable_firewall_rule", "gcp", AssetKind.SECURITY_GROUP, 1, True, "disable the firewall rule"),
    Ability("gcp.isolate_instance", "gcp", AssetKind.INSTANCE, 2, True, "tag the instance for a deny-all firewall rule"),
    Ability("gcp.disable_service_account", "gcp", AssetKind.SERVICE_ACCOUNT, 2, True, "disable the service account"),
    Ability("gcp.stop_instance", "gcp", AssetKind.INSTANCE, 3, True, "stop the instance"),
    Ability("kubernetes.isolate_pod", "", AssetKind.POD, 1, True, "deny all traffic of the pod with a network policy"),
    Ability("kubernetes.isolate_pod", "", AssetKind.CONTAINER, 1, True, "deny all traffic of the container's pod"),
    Ability("case.open", "", AssetKind.OTHER, 9, True, "open a case for its owner"),
)
"""Every ability that can be proposed today. What executes them comes with the connectors that declare them."""


def containment(incident: Incident, facts: Sequence[Fact]) -> tuple[Action, ...]:
    """Steps in the order they should be tried: the least taken away first, the case last."""
    wanted: dict[tuple[str, str], tuple[int, int, Action]] = {}
    for order, asset in enumerate(_assets(incident)):
        for ability in _fitting(asset):
            target = target_of(asset)
            if target:
                action = Action(ability.name, target, _parameters(asset), 0)
                wanted.setdefault((ability.name, target), (ability.reach, order, action))
    ordered = [action for _, _, action in sorted(wanted.values(), key=lambda one: one[:2])]
    ordered.append(Action("case.open", incident.id, _case(incident, facts), 0))
    return tuple(Action(one.ability, one.target, one.parameters, rank) for rank, one in enumerate(ordered, start=1))


def _assets(incident: Incident) -> Iterator[Asset]:
    """What may have to be contained: assets under attack and who acted, then grave open doors. Nothing in a backlog."""
    if incident.scope == "backlog":
        return
    seen: set[str] = set()
    for finding in incident.findings:
        for asset in _of(finding):
            if asset.id not in seen and len(seen) < _MOST_TARGETS:
                seen.add(asset.id)
                yield asset


def _of(finding: Finding) -> Iterator[Asset]:
    if finding.kind is Kind.VULNERABILITY and not finding.internet:
        return
    yield finding.asset
    if finding.kind is Kind.THREAT:
        yield from (tie.asset for tie in finding.ties if tie.how in {"actor", "acts_as"})


def _fitting(asset: Asset) -> list[Ability]:
    cloud = cloud_of((asset.id, *asset.aliases), asset.provider)
    return [one for one in ABILITIES if one.kind is asset.kind and one.cloud in {cloud, ""} and one.name != "case.open"]


def _parameters(asset: Asset) -> dict[str, str]:
    given = {"account": asset.account, "region": asset.region}
    return {name: value for name, value in given.items() if value}


def _case(incident: Incident, facts: Sequence[Fact]) -> dict[str, str]:
    owner = next((one.value for one in facts if one.about == "owner"), "")
    return {"owner": owner, "scope": incident.scope} if owner else {"scope": incident.scope}
