"""The empty security group of a VPC: found by its name and our tag, or made; never in use before it is seen to be empty."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from isthmus.connectors.aws.clients import Aws
from isthmus.connectors.aws.errors import Denied
from isthmus.model.errors import Refused, Unreachable

TAG = "isthmus-purpose"
PURPOSE = "isolation"
_OPEN = ({"CidrIp": "0.0.0.0/0"}, {"CidrIpv6": "::/0"})


@dataclass(frozen=True, slots=True)
class Group:
    """A security group with our group's name. `default` is what is left of the egress AWS gives every new group.

    `mine` when it carries our tag; `foreign_rules` when somebody gave it rules: it then isolates nothing.
    """

    id: str
    vpc: str
    mine: bool
    default: tuple[Mapping[str, Any], ...]
    foreign_rules: bool

    @property
    def empty(self) -> bool:
        """Whether nothing gets in or out."""
        return not self.default and not self.foreign_rules


def find(aws: Aws, region: str, vpcs: Iterable[str], name: str) -> dict[str, Group]:
    """The groups of that name, by VPC; AWS lets a name stand once in a VPC."""
    filters = [{"Name": "group-name", "Values": [name]}, {"Name": "vpc-id", "Values": sorted(set(vpcs))}]
    said = aws.ask_all("ec2", "describe_security_groups", region, Filters=filters)
    return {one["VpcId"]: _read(one) for one in said["SecurityGroups"]}


def planned(group: Group | None, vpc: str, name: str) -> tuple[str, ...]:
    """The calls that see to it that the group stands empty. Raises `Refused` when what is there cannot be used.

    The words are the same whether it is there already: a group another step makes in between changes nothing agreed to.
    """
    if group is not None:
        _usable(group, name)
    return (
        f"ec2:CreateSecurityGroup GroupName={name} VpcId={vpc} (unless it is there)",
        f"ec2:RevokeSecurityGroupEgress of {name} in {vpc} (the rule AWS gives every new group)",
    )


def stand_empty(aws: Aws, region: str, vpc: str, name: str) -> str:
    """The id of the VPC's isolation group, made when there is none, read back as empty. Two at once end with one group."""
    group = find(aws, region, (vpc,), name).get(vpc) or _made(aws, region, vpc, name)
    if _usable(group, name).default:
        _emptied(aws, region, group)
        group = _usable(_seen(aws, region, vpc, name), name)
    if not group.empty:
        raise Unreachable(f"the isolation group {group.id} of {vpc} is not seen to be empty yet")
    return group.id


def _made(aws: Aws, region: str, vpc: str, name: str) -> Group:
    tags = [{"ResourceType": "security-group", "Tags": [{"Key": TAG, "Value": PURPOSE}]}]
    text = "No traffic in or out. Used by Isthmus to isolate instances."
    try:
        aws.ask("ec2", "create_security_group", region, GroupName=name, VpcId=vpc, Description=text, TagSpecifications=tags)
    except Denied as error:
        # Somebody was quicker: the name stands once in a VPC, so both of us go on with theirs.
        if error.code != "InvalidGroup.Duplicate":
            raise
    return _seen(aws, region, vpc, name)


def _emptied(aws: Aws, region: str, group: Group) -> None:
    try:
        aws.ask("ec2", "revoke_security_group_egress", region, GroupId=group.id, IpPermissions=list(group.default))
    except Denied as error:
        # Somebody at the same work was quicker; reading back tells.
        if error.code != "InvalidPermission.NotFound":
            raise


def _seen(aws: Aws, region: str, vpc: str, name: str) -> Group:
    group = find(aws, region, (vpc,), name).get(vpc)
    if group is None:
        raise Unreachable(f"the new isolation group of {vpc} cannot be seen yet")
    return group


def _usable(group: Group, name: str) -> Group:
    if not group.mine:
        raise Refused(f"{group.vpc} has a group named {name} without our tag {TAG}: it is somebody else's")
    if group.foreign_rules:
        raise Refused(f"the isolation group {group.id} of {group.vpc} was given rules: it isolates nothing until they are gone")
    return group


def _read(one: Mapping[str, Any]) -> Group:
    default = tuple(rule for rule in map(_rule, one.get("IpPermissionsEgress", ())) if _is_default(rule))
    foreign = bool(one.get("IpPermissions")) or len(default) != len(one.get("IpPermissionsEgress", ()))
    tagged = any(tag["Key"] == TAG and tag["Value"] == PURPOSE for tag in one.get("Tags", ()))
    return Group(one["GroupId"], one["VpcId"], tagged, default, foreign)


def _rule(said: Mapping[str, Any]) -> dict[str, Any]:
    """A rule as AWS tells it, without the lists that are empty, so that it can be sent back."""
    return {key: value for key, value in said.items() if value not in ([], None)}


def _is_default(rule: Mapping[str, Any]) -> bool:
    ranges = [*rule.get("IpRanges", ()), *rule.get("Ipv6Ranges", ())]
    others = set(rule) - {"IpProtocol", "IpRanges", "Ipv6Ranges"}
    return rule.get("IpProtocol") == "-1" and not others and all(one in _OPEN for one in ranges)
