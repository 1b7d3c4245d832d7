"""Where a Falco event happened: a pod, a container, a host, or, for plugins, what the event was about.

Falco knows the kernel, not the cloud. Which instance a host is, it can only say in custom fields, so we read the
OpenTelemetry resource attributes when a deployment adds them (Falco `append_output: extra_fields`, Falcosidekick
`customfields`): cloud.provider, cloud.account.id, cloud.region, cloud.resource_id, host.id, k8s.cluster.name.
"""

from __future__ import annotations

from dataclasses import dataclass

from isthmus.contracts.reading import Record, text, words
from isthmus.model.assets import Asset, AssetKind, asset_kind
from isthmus.model.findings import Tie, short_hash
from isthmus.model.outside import NOTHING, Outside

_UNSAID = ("<NA>", "null", "N/A")
_INSTANCE_ID_LENGTHS = (10, 19)
_HEX = frozenset("0123456789abcdef")
_AUDIT_SOURCES = ("k8s_audit", "k8saudit")


@dataclass(frozen=True, slots=True)
class Place:
    """`word` is what, with the rule, makes the finding the same one again."""

    word: str
    asset: Asset
    ties: tuple[Tie, ...] = ()


def field(fields: Record, *names: str) -> str:
    """The first of these output fields Falco could fill in; it writes `<NA>` where it could not."""
    for name in names:
        found = text(fields, name)
        if found and found not in _UNSAID:
            return found
    return ""


def place_of(record: Record, fields: Record) -> Place:
    """Where the event happened. Only a syscall event happened where Falco runs; a plugin's happened elsewhere."""
    source = text(record, "source")
    if source in _AUDIT_SOURCES:
        return _audited(fields)
    if source == "aws_cloudtrail":
        return _trailed(fields)
    hostname = field(record, "hostname")
    if field(fields, "k8s.pod.name"):
        return _pod(fields, hostname)
    container = _container_id(fields)
    if container:
        return _container(fields, container, hostname)
    return _host(fields, hostname) if source in ("", "syscall") else _elsewhere(fields)


def cluster_of(fields: Record) -> str:
    """The cluster's name, which Falco does not know itself and a deployment adds."""
    return field(fields, "k8s.cluster.name", "k8s_cluster_name", "cluster_name", "cluster")


def _container_id(fields: Record) -> str:
    found = field(fields, "container.full_id", "container.id")
    return "" if found == "host" else found


def _is_instance_id(word: str) -> bool:
    return word.startswith("i-") and len(word) in _INSTANCE_ID_LENGTHS and _HEX.issuperset(word[2:])


def _machine(fields: Record, hostname: str) -> Asset:
    """The host. AWS can name a host after its instance id; any other hostname is only a name."""
    head = hostname.partition(".")[0]
    given = (field(fields, "cloud.resource_id"), field(fields, "host.id"), head if _is_instance_id(head) else "")
    aws = any(_is_instance_id(one) or one.startswith("arn:") for one in given)
    return Asset(
        kind=AssetKind.INSTANCE,
        provider=field(fields, "cloud.provider").lower() or ("aws" if aws else ""),
        account=field(fields, "cloud.account.id"),
        region=field(fields, "cloud.region"),
        name=Outside(hostname or field(fields, "host.name")),
        ids=tuple(dict.fromkeys(one for one in given if one)),
    )


def _host(fields: Record, hostname: str) -> Place:
    machine = _machine(fields, hostname)
    if not machine.ids and not hostname:
        return _elsewhere(fields)
    return Place(machine.ids[0] if machine.ids else hostname, machine)


def _workload_ties(fields: Record, hostname: str) -> tuple[Tie, ...]:
    """The node it runs on, the image it was started from, the cluster it is part of: each only if it has an id."""
    machine, cluster = _machine(fields, hostname), cluster_of(fields)
    digest = next((one for one in words(fields, "container.image.digest") if one.startswith("sha256:")), "")
    ties = [Tie("runs_on", machine)] if machine.ids else []
    if digest:
        image = ":".join(one for one in (_repository(fields), field(fields, "container.image.tag")) if one)
        ties.append(Tie("uses_image", Asset(AssetKind.IMAGE, name=Outside(image), ids=(digest,))))
    if cluster:
        ties.append(Tie("part_of", Asset(AssetKind.CLUSTER, "kubernetes", name=Outside(cluster), ids=(f"k8s:{cluster}",))))
    return tuple(ties)


def _repository(fields: Record) -> str:
    return field(fields, "container.image.repository", "container.image")


def _workload(kind: AssetKind, fields: Record, name: str, own: tuple[str, ...]) -> Asset:
    return Asset(
        kind=kind,
        provider="kubernetes" if kind is AssetKind.POD else field(fields, "cloud.provider").lower(),
        account=field(fields, "cloud.account.id"),
        region=field(fields, "cloud.region"),
        name=Outside(name) if name else NOTHING,
        ids=own,
    )


def _pod(fields: Record, hostname: str) -> Place:
    """The pod is the asset, since it is what Kubernetes can act on; the container inside it is touched.

    Two clusters may have a pod of one name, so without the cluster's name its uid, or the node, tells them apart.
    """
    name, uid, cluster = field(fields, "k8s.pod.name"), field(fields, "k8s.pod.uid"), cluster_of(fields)
    named = f"k8s:{cluster}/{field(fields, 'k8s.ns.name')}/{name}"
    own = (named, f"falco:{uid}") if uid else (named,)
    ties, container = _workload_ties(fields, hostname), _container_id(fields)
    if container:
        inside = _workload(AssetKind.CONTAINER, fields, field(fields, "container.name"), (container,))
        ties += (Tie("touches", inside),)
    if cluster:
        return Place(named, _workload(AssetKind.POD, fields, name, own), ties)
    return Place(uid or f"{named}@{hostname}", _workload(AssetKind.POD, fields, name, own[-1:]), ties)


def _container(fields: Record, container: str, hostname: str) -> Place:
    """The full id is an addition of newer rules, so the short one Falco always writes is what identity is built on."""
    short = field(fields, "container.id") or container
    asset = _workload(AssetKind.CONTAINER, fields, field(fields, "container.name"), (container,))
    return Place(short[:12], asset, _workload_ties(fields, hostname))


def _audited(fields: Record) -> Place:
    """Kubernetes audit: the object that was asked for, and who asked. Without its cluster an object has no id: the same
    names are in every cluster.
    """
    cluster, namespace = cluster_of(fields), field(fields, "ka.target.namespace")
    resource, name = field(fields, "ka.target.resource"), field(fields, "ka.target.name", "ka.target.pod.name")
    user = field(fields, "ka.user.name")
    path = (namespace, name) if resource == "pods" else (namespace, resource, name)
    own = f"k8s:{cluster}/" + "/".join(one for one in path if one)
    kind = asset_kind(resource.removesuffix("s")) if resource else AssetKind.CLUSTER
    word = f"{own}/{user or field(fields, 'ka.uri')}"
    asset = Asset(
        kind, "kubernetes", field(fields, "cloud.account.id"), name=Outside(name or namespace), ids=(own.rstrip("/"),)
    )
    return Place(word, asset, _audit_actor(cluster, user))


def _audit_actor(cluster: str, user: str) -> tuple[Tie, ...]:
    if not user:
        return ()
    parts = user.split(":")
    if parts[:2] == ["system", "serviceaccount"] and len(parts) == 4:
        own = f"k8s:{cluster}/{parts[2]}/serviceaccounts/{parts[3]}"
        return (Tie("actor", Asset(AssetKind.SERVICE_ACCOUNT, "kubernetes", name=Outside(parts[3]), ids=(own,))),)
    return (Tie("actor", Asset(AssetKind.USER, "kubernetes", name=Outside(user), ids=(f"k8s:{cluster}/users/{user}",))),)


def _trailed(fields: Record) -> Place:
    """CloudTrail: the bucket if the event names one, else the account; the user is the actor if there is an ARN."""
    account, bucket, who = field(fields, "ct.user.accountid"), field(fields, "s3.bucket"), field(fields, "ct.user.arn")
    user = field(fields, "ct.user")
    asset = Asset(
        kind=AssetKind.BUCKET if bucket else AssetKind.ACCOUNT,
        provider="aws",
        account=account,
        region=field(fields, "ct.region"),
        name=Outside(bucket or account),
        ids=tuple(one for one in (bucket or account,) if one),
    )
    kind = AssetKind.USER if ":user/" in who or who.endswith(":root") else AssetKind.ROLE
    ties = (Tie("actor", Asset(kind, "aws", account, name=Outside(user), ids=(who,))),) if who else ()
    return Place("/".join((account, field(fields, "ct.region"), field(fields, "ct.name"), bucket, who or user)), asset, ties)


def _elsewhere(fields: Record) -> Place:
    """A plugin or a hand-made event: nothing names a thing we know, so all it says, but for the times, is its place."""
    said = sorted(f"{name}={value}" for name, value in fields.items() if not name.startswith(("evt.", "evt_")))
    return Place(short_hash(*said), Asset(AssetKind.OTHER, account=field(fields, "cloud.account.id")))
