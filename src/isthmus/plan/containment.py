"""Which abilities fit an incident, the smallest first. A closed list: nothing outside it can be proposed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from isthmus.model.assets import Asset, AssetKind
from isthmus.model.facts import Fact
from isthmus.model.findings import Finding, Kind
from isthmus.model.incidents import Incident
from isthmus.model.plans import Action
from isthmus.model.severity import Severity
from isthmus.plan.targets import cloud_of, target_of

_MOST_TARGETS = 50
_PLACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}")
_HANDS = {"actor", "acts_as", "runs_on"}
_IDENTITIES = {AssetKind.ROLE, AssetKind.USER, AssetKind.SERVICE_ACCOUNT}


@dataclass(frozen=True, slots=True)
class Ability:
    """A verb we know: on what, against what, how much it takes away (`reach`, smaller first), whether it can be undone.

    `against` names what must be told of the asset before the verb is proposed: `attack` (a detection on it, by it or of
    its role), `secret` (it leaked), `exposure` (a door of data or network stands open), `exploited` (a reachable hole
    that attackers use), `power` (an identity holds far too much).
    """

    name: str
    cloud: str
    kind: AssetKind
    against: frozenset[str]
    reach: int
    undoable: bool
    title: str


def _against(*needs: str) -> frozenset[str]:
    return frozenset(needs)


_ATTACK, _DOOR, _HOLE = _against("attack"), _against("attack", "exposure"), _against("attack", "exploited")
_LEAK, _POWER = _against("attack", "secret"), _against("power")
ABILITIES = (
    Ability("aws.deactivate_access_key", "aws", AssetKind.ACCESS_KEY, _LEAK, 1, True, "set the access key inactive"),
    Ability("aws.block_public_access", "aws", AssetKind.BUCKET, _DOOR, 1, True, "turn on all four public-access blocks"),
    Ability(
        "aws.revoke_open_ingress", "aws", AssetKind.SECURITY_GROUP, _DOOR, 1, True, "remove the rules open to every address"
    ),
    Ability("aws.bound_role", "aws", AssetKind.ROLE, _POWER, 1, True, "attach an inline deny of ways to more power"),
    Ability("aws.bound_user", "aws", AssetKind.USER, _POWER, 1, True, "attach an inline deny of ways to more power"),
    Ability(
        "aws.isolate_instance", "aws", AssetKind.INSTANCE, _HOLE, 2, True, "move every interface to an empty security group"
    ),
    Ability("aws.revoke_role_sessions", "aws", AssetKind.ROLE, _ATTACK, 2, True, "deny sessions of the role issued before now"),
    Ability("aws.deny_user", "aws", AssetKind.USER, _LEAK, 2, True, "attach an explicit deny to the user"),
    Ability(
        *("aws.quarantine_bucket", "aws", AssetKind.BUCKET, _ATTACK, 2, True),
        "deny everybody but break-glass and block public access",
    ),
    Ability("aws.stop_function", "aws", AssetKind.FUNCTION, _ATTACK, 2, True, "set the reserved concurrency to zero"),
    Ability("aws.stop_instance", "aws", AssetKind.INSTANCE, _ATTACK, 3, True, "stop the instance (its memory is lost)"),
    Ability("azure.close_storage", "azure", AssetKind.BUCKET, _DOOR, 1, True, "switch off anonymous blob access"),
    Ability("azure.deny_open_inbound", "azure", AssetKind.SECURITY_GROUP, _DOOR, 1, True, "deny inbound from every address"),
    Ability("azure.isolate_vm", "azure", AssetKind.INSTANCE, _HOLE, 2, True, "attach a deny-all network security group"),
    Ability("azure.deallocate_vm", "azure", AssetKind.INSTANCE, _ATTACK, 3, True, "deallocate the machine"),
    Ability("gcp.close_bucket", "gcp", AssetKind.BUCKET, _DOOR, 1, True, "enforce public access prevention"),
    Ability("gcp.disable_firewall_rule", "gcp", AssetKind.SECURITY_GROUP, _DOOR, 1, True, "disable the firewall rule"),
    Ability("gcp.isolate_instance", "gcp", AssetKind.INSTANCE, _HOLE, 2, True, "tag the instance for a deny-all firewall rule"),
    Ability("gcp.disable_service_account", "gcp", AssetKind.SERVICE_ACCOUNT, _LEAK, 2, True, "disable the service account"),
    Ability("gcp.stop_instance", "gcp", AssetKind.INSTANCE, _ATTACK, 3, True, "stop the instance"),
    Ability("kubernetes.isolate_pod", "", AssetKind.POD, _ATTACK, 1, True, "deny all traffic of the pod with a network policy"),
    Ability(
        "host.pause_container", "", AssetKind.CONTAINER, _ATTACK, 1, True, "pause the container on its host, keeping its memory"
    ),
    Ability("case.open", "", AssetKind.OTHER, frozenset(), 9, False, "open a case for its owner; people close it"),
)
"""Every ability that can be proposed today. What executes them comes with the connectors that declare them."""


def containment(incident: Incident, facts: Sequence[Fact], quiet: bool = False) -> tuple[Action, ...]:
    """Steps in the order they should be tried: the least taken away first. The case comes last and takes nothing away.

    `quiet`: somebody said there is nothing to contain, so only the case remains.
    """
    wanted: dict[tuple[str, str], tuple[int, int, Action]] = {}
    for order, (asset, need) in enumerate(() if quiet else _needs(incident, facts)):
        target = target_of(asset)
        for ability in _fitting(asset, need) if target else ():
            action = Action(ability.name, target, _parameters(asset), 0)
            wanted.setdefault((ability.name, target), (ability.reach, order, action))
    ordered = [action for _, _, action in sorted(wanted.values(), key=lambda one: one[:2])]
    ordered.append(Action("case.open", incident.id, _case(incident, facts), 0))
    return tuple(Action(one.ability, one.target, one.parameters, rank) for rank, one in enumerate(ordered, start=1))


def _needs(incident: Incident, facts: Sequence[Fact]) -> Iterator[tuple[Asset, str]]:
    """Assets and what stands against them, the gravest member's first. Nothing in a backlog, nothing we ordered ourselves."""
    said = {one.about for one in facts}
    if incident.scope == "backlog" or ("expected" in said and "threat" not in said):
        return
    exploited = {one.value for one in facts if one.about == "exploited"}
    seen: set[str] = set()
    for finding in incident.findings:
        for asset, need in _of(finding, exploited):
            if asset.id in seen or len(seen) < _MOST_TARGETS:
                seen.add(asset.id)
                yield asset, need


def _of(finding: Finding, exploited: set[str]) -> Iterator[tuple[Asset, str]]:
    if finding.kind is not Kind.THREAT:
        need = _need(finding, exploited)
        if need:
            yield finding.asset, need
    elif finding.severity.weight >= Severity.MEDIUM and not finding.blocked:
        yield finding.asset, "attack"
        yield from ((tie.asset, "attack") for tie in finding.ties if tie.how in _HANDS)


def _need(finding: Finding, exploited: set[str]) -> str:
    """What a claim that is no detection stands for; empty when nothing has to be contained today."""
    weight = finding.severity.weight
    if finding.kind is Kind.SECRET:
        return "secret"
    if finding.kind is Kind.VULNERABILITY:
        return "exploited" if finding.internet and any(one.cve in exploited for one in finding.vulnerabilities) else ""
    if finding.asset.kind in _IDENTITIES:
        return "power" if weight >= Severity.CRITICAL or finding.privileged else ""
    return "exposure" if weight >= Severity.HIGH or finding.internet else ""


def _fitting(asset: Asset, need: str) -> list[Ability]:
    cloud = cloud_of((asset.id, *asset.aliases), asset.provider)
    return [one for one in ABILITIES if one.kind is asset.kind and one.cloud in {cloud, ""} and need in one.against]


def _parameters(asset: Asset) -> dict[str, str]:
    given = {"account": asset.account, "region": asset.region}
    return {name: value for name, value in given.items() if _PLACE.fullmatch(value)}


def _case(incident: Incident, facts: Sequence[Fact]) -> dict[str, str]:
    owner = next((one.value for one in facts if one.about == "owner"), "")
    return {"owner": owner, "scope": incident.scope} if owner else {"scope": incident.scope}
