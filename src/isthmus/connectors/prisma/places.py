"""What Prisma Cloud's products call a thing, brought to the names its cloud gave it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from isthmus.contracts.reading import Record, by_name, first_text, section, text, value_at, words
from isthmus.model.assets import Asset, AssetKind
from isthmus.model.findings import Indicator, Tie
from isthmus.model.outside import Outside

_NO_ACCOUNT = "Non-onboarded cloud accounts"
_ACCOUNT_DIGITS = 12
_K8S_PARTS = 4


def given(*names: str) -> tuple[str, ...]:
    """The names that are there, each once, in this order."""
    return tuple(dict.fromkeys(one for one in names if one))


def instance_ids(own: str, provider: str, account: str, region: str) -> tuple[str, ...]:
    """The ids of a machine. An EC2 instance id gets its ARN too: account, region and id determine it."""
    known = provider == "aws" and own.startswith("i-") and region and account.isdigit() and len(account) == _ACCOUNT_DIGITS
    if not known:
        return given(own)
    partition = {"cn": "aws-cn", "us-gov": "aws-us-gov"}.get(region.rsplit("-", 2)[0], "aws")
    return f"arn:{partition}:ec2:{region}:{account}:instance/{own}", own


def account_of(record: Record, *path: str) -> str:
    """The cloud account; Compute writes a sentence where the account is not onboarded."""
    found = text(record, *path)
    return "" if found == _NO_ACCOUNT else found


def image(own: str, name: str = "") -> Asset:
    """An image by the digest of its configuration; some audits leave the algorithm out."""
    digest = own if own.startswith("sha256:") or not own else f"sha256:{own}"
    return Asset(AssetKind.IMAGE, name=Outside(name), ids=given(digest))


def cluster_tie(cluster: str) -> tuple[Tie, ...]:
    if not cluster:
        return ()
    return (Tie("part_of", Asset(AssetKind.CLUSTER, "kubernetes", name=Outside(cluster), ids=(f"k8s:{cluster}",))),)


def labels_of(record: Record) -> Mapping[str, Any]:
    """Labels of a workload. Scans list them as texts, which say nothing to us."""
    return {} if isinstance(value_at(record, "labels"), list) else section(record, "labels")


def _pod(record: Record, cluster: str) -> str:
    """The pod a container lives in, from its labels or from the name the kubelet gave it
    (`/k8s_container_pod_namespace_...`; none of these may hold an underscore). Empty without the cluster's name.
    """
    labels = labels_of(record)
    name, namespace = text(labels, "io.kubernetes.pod.name"), text(labels, "io.kubernetes.pod.namespace")
    parts = text(record, "containerName").lstrip("/").split("_")
    if not name and parts[0] == "k8s" and len(parts) >= _K8S_PARTS:
        name, namespace = parts[2], parts[3]
    return f"k8s:{cluster}/{namespace or namespace_of(record)}/{name}" if name and cluster else ""


def namespace_of(record: Record) -> str:
    """The Kubernetes namespace: `namespace` of a runtime audit, the first of `ns` of a WAAS audit."""
    return text(record, "namespace") or next(iter(words(record, "ns")), "")


def machine(record: Record) -> Asset:
    """The host of an audit or an incident. A hostname alone is a name, no identity."""
    provider, account, region = text(record, "provider").lower(), account_of(record, "accountID"), text(record, "region")
    return Asset(
        kind=AssetKind.INSTANCE,
        provider=provider,
        account=account,
        region=region,
        name=Outside(first_text(record, "hostname", "fqdn")),
        ids=given(*instance_ids(text(record, "resourceID"), provider, account, region), text(record, "vmID")),
    )


def _owned(record: Record, kind: AssetKind, name: str, *ids: str) -> Asset:
    return Asset(
        kind=kind,
        provider=text(record, "provider").lower(),
        account=account_of(record, "accountID"),
        region=text(record, "region"),
        name=Outside(name),
        ids=given(*ids),
        tags=_tags(record),
    )


def _tags(record: Record) -> tuple[tuple[str, Outside], ...]:
    said = {"cluster": text(record, "cluster"), "namespace": namespace_of(record)}
    said |= {name: str(value) for name, value in labels_of(record).items()}
    return by_name((name, Outside(value)) for name, value in said.items() if value)


def workload(record: Record) -> tuple[Asset, tuple[Tie, ...]]:
    """What an audit or an incident is about, and what it hangs on: the first that is there of container, pod,
    function, app-embedded task, host, image and account. They share their field names, up to the case of `Id`.
    """
    container, own_image = first_text(record, "containerId", "containerID"), first_text(record, "imageId", "imageID")
    name, picture = text(record, "containerName").lstrip("/"), text(record, "imageName")
    cluster = text(record, "cluster")
    pod = _pod(record, cluster)
    if container or pod or name:
        return _contained(record, container, pod, image(own_image, picture))
    if first_text(record, "functionID", "function"):
        return _owned(record, AssetKind.FUNCTION, text(record, "function"), text(record, "functionID")), ()
    if text(record, "appID"):
        own = text(record, "appID")
        return _owned(record, AssetKind.CONTAINER, own, f"prisma:{own}"), cluster_tie(cluster)
    host = machine(record)
    if host.ids or host.name:
        return host, cluster_tie(cluster)
    if own_image or picture:
        return image(own_image, picture), ()
    account = account_of(record, "accountID")
    return _owned(record, AssetKind.ACCOUNT if account else AssetKind.OTHER, account, account), ()


def _contained(record: Record, container: str, pod: str, picture: Asset) -> tuple[Asset, tuple[Tie, ...]]:
    """A container with its pod, node, image and cluster; without a container id the pod itself."""
    node, name = machine(record), text(record, "containerName").lstrip("/")
    ties = [Tie("runs_on", node)] if node.ids else []
    ties += [Tie("uses_image", picture)] if picture.ids else []
    ties += cluster_tie(text(record, "cluster"))
    if pod and not container:
        return _owned(record, AssetKind.POD, pod.rpartition("/")[2], pod), tuple(ties)
    if pod:
        ties.append(Tie("part_of", _owned(record, AssetKind.POD, pod.rpartition("/")[2], pod)))
    return _owned(record, AssetKind.CONTAINER, name or container[:12], container), tuple(ties)


def indicators(pairs: Iterable[tuple[str, str]]) -> tuple[Indicator, ...]:
    """(kind, value) pairs as indicators: each once, in a stable order, without the empty ones."""
    return tuple(Indicator(kind, value) for kind, value in sorted(set(pairs)) if value)


@lru_cache(maxsize=1_024)
def spoken(name: str) -> str:
    """A machine name as words: `cryptoMinerProcess` becomes `Crypto miner process`, `sshDNSFeed` `Ssh DNS feed`."""
    said = []
    for place, letter in enumerate(name):
        before, after = name[max(place - 1, 0)], name[place + 1 : place + 2]
        starts = place > 0 and letter.isupper() and (before.islower() or (before.isupper() and after.islower()))
        said.append(f" {letter if after.isupper() else letter.lower()}" if starts else letter)
    return name[:1].upper() + "".join(said)[1:]
