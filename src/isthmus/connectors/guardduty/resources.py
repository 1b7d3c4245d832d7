"""The thing a GuardDuty finding is about, and what the finding says hangs together with it.

GuardDuty names things by short ids; the ARN is put together from partition, region and account of the finding, so that
the same thing told by Security Hub or another platform meets it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from isthmus.connectors.guardduty.cased import Cased
from isthmus.contracts.reading import by_name
from isthmus.model.assets import Asset, AssetKind, asset_kind
from isthmus.model.findings import Tie
from isthmus.model.outside import NOTHING, Outside

Told = tuple[Asset, list[Tie]]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a finding was made."""

    partition: str
    region: str
    account: str

    def arn(self, service: str, tail: str) -> str:
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{tail}"

    def iam(self, tail: str) -> str:
        return f"arn:{self.partition}:iam::{self.account}:{tail}"

    def asset(self, kind: AssetKind, ids: Iterable[str], name: str = "", tags: Iterable[Cased] = ()) -> Asset | None:
        """The asset with these ids, without the empty ones; nothing when none is left."""
        given = tuple(dict.fromkeys(one for one in ids if one))
        if not given:
            return None
        marks = by_name((tag.text("key"), Outside(tag.text("value"))) for tag in tags)
        shown = Outside(name) if name else next((value for key, value in marks if key == "Name"), NOTHING)
        return Asset(kind, "aws", self.account, self.region, shown, given, marks)


def place_of(finding: Cased) -> Place:
    return Place(finding.text("partition") or "aws", finding.text("region"), finding.text("accountId"))


def native_ids(uid: str) -> tuple[str, ...]:
    """An id with the other name AWS has for the same thing: the bucket of an S3 ARN, the short id of an EC2 one."""
    if not uid.startswith("arn:"):
        return (uid,)
    service, tail = [*uid.split(":", 3), "", ""][2], uid.rpartition(":")[2]
    if service == "s3" and tail:
        bucket = tail.partition("/")[0]
        return (uid.removesuffix(tail) + bucket, bucket)
    return (uid, tail.rpartition("/")[2]) if service == "ec2" else (uid,)


def _tie(how: str, asset: Asset | None) -> list[Tie]:
    return [Tie(how, asset)] if asset else []


def principal(key: Cased, place: Place) -> Asset | None:
    """The user or role behind `accessKeyDetails`. Its ARN is built from the name, which leaves out a path, if it has one."""
    kind, name = key.text("userType"), key.text("userName")
    stable = key.text("principalId").partition(":")[0]
    if kind == "Root":
        return place.asset(AssetKind.USER, (place.iam("root"),), "root")
    if not name:
        return None
    if kind == "IAMUser":
        return place.asset(AssetKind.USER, (place.iam(f"user/{name}"), stable if stable.startswith("AIDA") else ""), name)
    if kind in ("AssumedRole", "Role"):
        return place.asset(AssetKind.ROLE, (place.iam(f"role/{name}"), stable if stable.startswith("AROA") else ""), name)
    if kind == "FederatedUser":
        return place.asset(AssetKind.USER, (f"arn:{place.partition}:sts::{place.account}:federated-user/{name}",), name)
    return None


def _actors(resource: Cased, place: Place) -> list[Tie]:
    """Who did it, when the resource itself is not the key."""
    if not resource.has("accessKeyDetails"):
        return []
    key = resource.part("accessKeyDetails")
    own = place.asset(AssetKind.ACCESS_KEY, (key.text("accessKeyId"),))
    return _tie("actor", own) + _tie("actor", principal(key, place))


def _instance(resource: Cased, place: Place) -> Asset | None:
    details = resource.part("instanceDetails")
    own = details.text("instanceId")
    if not own:
        return None
    return place.asset(AssetKind.INSTANCE, (place.arn("ec2", f"instance/{own}"), own), tags=details.parts("tags"))


def _guards(place: Place, groups: Iterable[Cased]) -> list[Tie]:
    """Security groups by their short id only: in a shared network their owner is another account."""
    found = dict.fromkeys((group.text("groupId"), group.text("groupName")) for group in groups)
    return [tie for own, name in found for tie in _tie("guarded_by", place.asset(AssetKind.SECURITY_GROUP, (own,), name))]


def _of_instance(finding: Cased, place: Place) -> Told | None:
    resource = finding.part("resource")
    asset = _instance(resource, place)
    if asset is None:
        return None
    details = resource.part("instanceDetails")
    profile = details.part("iamInstanceProfile")
    groups = [group for card in details.parts("networkInterfaces") for group in card.parts("securityGroups")]
    role = place.asset(AssetKind.ROLE, (profile.text("arn"),))
    return asset, [*_tie("acts_as", role), *_guards(place, groups), *_actors(resource, place)]


def _of_key(finding: Cased, place: Place) -> Told | None:
    """A key, or who holds it when GuardDuty names no key (console logins, the root user)."""
    resource = finding.part("resource")
    key = resource.part("accessKeyDetails")
    owner = principal(key, place)
    asset = place.asset(AssetKind.ACCESS_KEY, (key.text("accessKeyId"),), key.text("userName"))
    taken_from = _tie("touches", _instance(resource, place))
    if asset is not None:
        return asset, _tie("owns_key", owner) + taken_from
    return (owner, taken_from) if owner else None


def _of_bucket(finding: Cased, place: Place) -> Told | None:
    resource = finding.part("resource")
    found = [
        place.asset(
            AssetKind.BUCKET,
            (one.text("arn") or f"arn:{place.partition}:s3:::{one.text('name')}", one.text("name")),
            one.text("name"),
            one.parts("tags"),
        )
        for one in resource.parts("s3BucketDetails")
        if one.text("arn") or one.text("name")
    ]
    if not found or found[0] is None:
        return None
    return found[0], [*_actors(resource, place), *(tie for other in found[1:] for tie in _tie("touches", other))]


def _image(place: Place, name: str) -> Asset | None:
    digest = name.partition("@")[2]
    return place.asset(AssetKind.IMAGE, (digest, name), name)


def _cluster(resource: Cased, place: Place, kind: str) -> Asset | None:
    details = resource.part(kind)
    return place.asset(AssetKind.CLUSTER, (details.text("arn"),), details.text("name"), details.parts("tags"))


def _pod(resource: Cased, place: Place) -> Asset | None:
    work = resource.part("kubernetesDetails", "kubernetesWorkloadDetails")
    cluster, name = resource.text("eksClusterDetails", "name"), work.text("name")
    if not (cluster and name):
        return None
    return place.asset(AssetKind.POD, (f"k8s:{cluster}/{work.text('namespace') or 'default'}/{name}",), name)


def _service_account(resource: Cased, place: Place) -> Asset | None:
    work = resource.part("kubernetesDetails", "kubernetesWorkloadDetails")
    cluster, name = resource.text("eksClusterDetails", "name"), work.text("serviceAccountName")
    if not (cluster and name):
        return None
    own = f"k8s:{cluster}/{work.text('namespace') or 'default'}/serviceaccounts/{name}"
    return place.asset(AssetKind.SERVICE_ACCOUNT, (own,), name)


def _workload_ties(resource: Cased, place: Place) -> list[Tie]:
    """What a pod or container lives in and on."""
    ties = _tie("part_of", _cluster(resource, place, "eksClusterDetails"))
    ties += _tie("part_of", _cluster(resource, place, "ecsClusterDetails"))
    ties += _tie("acts_as", _service_account(resource, place))
    return ties + _tie("runs_on", _instance(resource, place)) + _actors(resource, place)


def _of_kubernetes(finding: Cased, place: Place) -> Told | None:
    """The workload where one is named, the cluster otherwise."""
    resource = finding.part("resource")
    pod = _pod(resource, place)
    if pod is None:
        cluster = _cluster(resource, place, "eksClusterDetails")
        return (cluster, _actors(resource, place)) if cluster else None
    boxes = resource.parts("kubernetesDetails", "kubernetesWorkloadDetails", "containers")
    images = [tie for box in boxes for tie in _tie("uses_image", _image(place, box.text("image")))]
    return pod, _workload_ties(resource, place) + images


def _of_container(finding: Cased, place: Place) -> Told | None:
    resource = finding.part("resource")
    box = resource.part("containerDetails")
    asset = place.asset(AssetKind.CONTAINER, (box.text("id").rpartition("//")[2],), box.text("name"))
    if asset is None:
        return _of_kubernetes(finding, place)
    image = _tie("uses_image", _image(place, box.text("image")))
    return asset, _tie("part_of", _pod(resource, place)) + _workload_ties(resource, place) + image


def _of_ecs(finding: Cased, place: Place) -> Told | None:
    """The task where one is named, the cluster otherwise."""
    resource = finding.part("resource")
    task = resource.part("ecsClusterDetails", "taskDetails")
    asset = place.asset(AssetKind.CONTAINER, (task.text("arn"),), tags=task.parts("tags"))
    if asset is None:
        cluster = _cluster(resource, place, "ecsClusterDetails")
        return (cluster, []) if cluster else None
    images = [tie for box in task.parts("containers") for tie in _tie("uses_image", _image(place, box.text("image")))]
    return asset, _workload_ties(resource, place) + images


def _of_function(finding: Cased, place: Place) -> Told | None:
    details = finding.part("resource", "lambdaDetails")
    arn, role = details.text("functionArn"), details.text("role")
    asset = place.asset(AssetKind.FUNCTION, (arn,), details.text("functionName"), details.parts("tags"))
    if asset is None:
        return None
    owner = place.asset(AssetKind.ROLE, (role if role.startswith("arn:") or not role else place.iam(f"role/{role}"),))
    return asset, _tie("acts_as", owner) + _guards(place, details.parts("vpcConfig", "securityGroups"))


def _of_database(finding: Cased, place: Place) -> Told | None:
    resource = finding.part("resource")
    one, sharded = resource.part("rdsDbInstanceDetails"), resource.part("rdsLimitlessDbDetails")
    asset = place.asset(
        AssetKind.DATABASE,
        (one.text("dbInstanceArn"), sharded.text("dbShardGroupArn")),
        one.text("dbInstanceIdentifier") or sharded.text("dbShardGroupIdentifier"),
        one.parts("tags"),
    )
    return (asset, []) if asset else None


def _of_sequence(finding: Cased, place: Place) -> Told | None:
    """An attack sequence lists what it went through: the first is the asset, the rest was touched."""
    sequence = finding.part("service", "detection", "sequence")
    found: list[Asset] = []
    for one in sequence.parts("resources"):
        where = Place(place.partition, one.text("region") or place.region, one.text("accountId") or place.account)
        asset = where.asset(asset_kind(one.text("resourceType")), native_ids(one.text("uid")), one.text("name"))
        found += [asset] if asset else []
    users = [actor.part("user") for actor in sequence.parts("actors")]
    actors = [tie for user in users for tie in _tie("actor", _sequence_user(user, place))]
    return (found[0], actors + [Tie("touches", other) for other in found[1:]]) if found else None


def _sequence_user(user: Cased, place: Place) -> Asset | None:
    named = {"userType": user.text("type"), "userName": user.text("name"), "principalId": user.text("uid")}
    return principal(Cased(named, False), place)


_READERS: dict[str, Callable[[Cased, Place], Told | None]] = {
    "Instance": _of_instance,
    "AccessKey": _of_key,
    "S3Bucket": _of_bucket,
    "S3Object": _of_bucket,
    "EKSCluster": _of_kubernetes,
    "ECSCluster": _of_ecs,
    "Container": _of_container,
    "Lambda": _of_function,
    "RDSDBInstance": _of_database,
    "RDSLimitlessDB": _of_database,
    "AttackSequence": _of_sequence,
}


def _affected(finding: Cased, place: Place) -> list[Tie]:
    """`affectedResources` of an API call, where they are named so that one can tell which one it was."""
    action = finding.part("service", "action")
    if not action.has("awsApiCallAction"):
        return []
    named = action.part("awsApiCallAction", "affectedResources").record
    texts = [(kind, uid) for kind, uid in named.items() if isinstance(uid, str)]
    return [
        tie
        for kind, uid in texts
        if uid.startswith("arn:") or kind == "AWS::S3::Bucket"
        for tie in _tie("touches", place.asset(asset_kind(kind), native_ids(uid)))
    ]


def told(finding: Cased) -> Told:
    """The asset of a finding and its ties; the account where GuardDuty names nothing smaller."""
    place = place_of(finding)
    reader = _READERS.get(finding.text("resource", "resourceType"))
    found = reader(finding, place) if reader else None
    asset, ties = found or (Asset(AssetKind.ACCOUNT, "aws", place.account, place.region, NOTHING, (place.account,)), [])
    return asset, [tie for tie in ties + _affected(finding, place) if not set(tie.asset.ids) & set(asset.ids)]
