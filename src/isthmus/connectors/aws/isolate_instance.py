"""aws.isolate_instance: every network interface of an instance into the empty group of its VPC, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from isthmus.connectors.aws.clients import Aws
from isthmus.connectors.aws.isolation_group import Group, find, planned, stand_empty
from isthmus.connectors.aws.sight import Ability, State
from isthmus.model.assets import AssetKind
from isthmus.model.errors import Refused
from isthmus.model.plans import Target

_LIVING = {"pending", "running", "stopping", "stopped"}
_OWN_TYPES = {"interface", "efa", "efa-only"}
"""Interfaces that are the instance's alone. A trunk carries interfaces of pods that we would not reach."""


@dataclass(frozen=True, slots=True)
class Interface:
    """One network interface: its VPC and its groups, in the order of their ids (AWS promises none)."""

    vpc: str
    groups: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Isolation:
    """An instance's interfaces, and the isolation groups of their VPCs as far as there are any."""

    aws: Aws
    target: Target
    name: str
    interfaces: Mapping[str, Interface]
    groups: Mapping[str, Group]

    @property
    def state(self) -> State:
        told = {own: {"groups": list(one.groups), "vpc": one.vpc} for own, one in self.interfaces.items()}
        return {"interfaces": told, "isolation_group": self.name}

    def stands(self) -> bool:
        return all(self._isolated(one) and self.groups[one.vpc].empty for one in self.interfaces.values())

    def same(self, before: State) -> bool:
        return self.interfaces == _recorded(before)

    def ours(self, before: State) -> bool:
        was = _recorded(before)
        return was.keys() == self.interfaces.keys() and all(
            one.vpc == was[own].vpc and (one == was[own] or self._isolated(one)) for own, one in self.interfaces.items()
        )

    def calls(self) -> tuple[str, ...]:
        found: list[str] = []
        for vpc in sorted({one.vpc for one in self.interfaces.values()}):
            found += planned(self.groups.get(vpc), vpc, self.name)
        for own, one in self.interfaces.items():
            if not self._isolated(one):
                group = f"{self.name} of {one.vpc}"
                found.append(f"ec2:ModifyNetworkInterfaceAttribute NetworkInterfaceId={own} Groups=[{group}]")
        return tuple(found)

    def shown(self) -> str:
        number = len(self.interfaces)
        which = ", ".join(sorted(group.id for group in self.groups.values()))
        return (
            f"all {number} network interfaces are in the empty group {which} only; "
            "connections AWS already tracks live on until they end or time out"
        )

    def make(self) -> None:
        vpcs = sorted({one.vpc for one in self.interfaces.values()})
        empty = {vpc: stand_empty(self.aws, self.target.region, vpc, self.name) for vpc in vpcs}
        for own, one in self.interfaces.items():
            if one.groups != (empty[one.vpc],):
                self._put(own, (empty[one.vpc],))

    def restore(self, before: State) -> None:
        was = _recorded(before)
        every = sorted({group for one in was.values() for group in one.groups})
        # A group deleted since is better found now than when half of the interfaces are back.
        self.aws.ask("ec2", "describe_security_groups", self.target.region, GroupIds=every)
        for own, one in self.interfaces.items():
            if one != was[own]:
                self._put(own, was[own].groups)

    def _put(self, interface: str, groups: tuple[str, ...]) -> None:
        region, call = self.target.region, "modify_network_interface_attribute"
        self.aws.ask("ec2", call, region, NetworkInterfaceId=interface, Groups=list(groups))

    def _isolated(self, interface: Interface) -> bool:
        group = self.groups.get(interface.vpc)
        return group is not None and group.mine and interface.groups == (group.id,)


def look(aws: Aws, target: Target, before: State | None = None) -> Isolation:
    """The instance's interfaces now. Raises `Refused` when it is gone, or has an interface that is not its own."""
    living(aws, target.id, target.region)
    filters = [{"Name": "attachment.instance-id", "Values": [target.id]}]
    said = aws.ask_all("ec2", "describe_network_interfaces", target.region, Filters=filters)["NetworkInterfaces"]
    if not said:
        raise Refused(f"{target.id} has no network interface")
    interfaces = {one["NetworkInterfaceId"]: _interface(aws, one) for one in said}
    name = before["isolation_group"] if before else aws.config.isolation_group
    groups = find(aws, target.region, (one.vpc for one in interfaces.values()), name)
    return Isolation(aws, target, name, dict(sorted(interfaces.items())), groups)


def living(aws: Aws, instance: str, region: str) -> None:
    """Raises `Refused` unless the instance is there, of our account, and not on its way out."""
    said = aws.ask("ec2", "describe_instances", region, InstanceIds=[instance])
    for reservation in said["Reservations"]:
        for one in reservation["Instances"]:
            if reservation.get("OwnerId") != aws.config.account:
                raise Refused(f"{instance} is of account {reservation.get('OwnerId')}")
            if one["State"]["Name"] not in _LIVING:
                raise Refused(f"{instance} is {one['State']['Name']}")
            return
    raise Refused(f"there is no instance {instance} in {region}")


def _interface(aws: Aws, one: Mapping[str, Any]) -> Interface:
    own = one["NetworkInterfaceId"]
    if one.get("RequesterManaged") or one.get("InterfaceType", "interface") not in _OWN_TYPES:
        raise Refused(f"{own} is run by an AWS service or carries interfaces of others: it is not isolated by us")
    if one.get("OwnerId") != aws.config.account:
        raise Refused(f"{own} is of account {one.get('OwnerId')}")
    return Interface(one["VpcId"], tuple(sorted(group["GroupId"] for group in one["Groups"])))


def _recorded(before: State) -> dict[str, Interface]:
    return {own: Interface(one["vpc"], tuple(sorted(one["groups"]))) for own, one in before["interfaces"].items()}


ISOLATE_INSTANCE = Ability("aws.isolate_instance", AssetKind.INSTANCE, look)
