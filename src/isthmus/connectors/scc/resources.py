"""What a Security Command Center finding is about: the resource by its full name, and what hangs together with it.

Full resource names are Google's identity (`//compute.googleapis.com/projects/P/zones/Z/instances/I`). A resource of
another cloud is named below `otherCloudConnections`, and carries its own cloud's id at the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from isthmus.contracts.reading import Record, first_text, items, text
from isthmus.model.assets import Asset, AssetKind, asset_kind
from isthmus.model.findings import Tie
from isthmus.model.outside import Outside

_PROVIDERS = {"GOOGLE_CLOUD_PLATFORM": "gcp", "AMAZON_WEB_SERVICES": "aws", "MICROSOFT_AZURE": "azure"}
_SERVICE_ACCOUNT = ".iam.gserviceaccount.com"


@lru_cache(maxsize=4_096)
def _kind(*words: str) -> AssetKind:
    """Cached: there are few types, and each comes again and again."""
    return asset_kind(*words)


def _segment(path: str, name: str) -> str:
    """What follows `/name/` in a resource name."""
    _, found, rest = path.partition(f"/{name}/")
    return rest.partition("/")[0] if found else ""


def _native_kinds(name: str) -> Iterator[str]:
    """Type words in a full resource name: service and collection, as Cloud Asset Inventory writes asset types."""
    host, _, path = name.removeprefix("//").partition("/")
    parts = path.split("/")
    if host == "storage.googleapis.com":
        yield "bucket"
    elif len(parts) > 1:
        singular = parts[-2].removesuffix("s")
        yield f"{host}/{singular}"
        if host == "container.googleapis.com":
            yield singular


def _arn_kinds(arn: str) -> Iterator[str]:
    parts = arn.split(":", 5)
    if len(parts) == 6:
        head = parts[5].replace(":", "/").partition("/")[0]
        yield parts[2] if parts[2] == "s3" else f"{parts[2]}{head}"
        yield head


def _elsewhere(name: str) -> tuple[str, str]:
    """The other cloud and its own id in a name below `otherCloudConnections`; both empty for Google's own resources."""
    _, found, rest = name.partition("/otherCloudConnections/")
    if found:
        cloud, _, own = rest.partition("/")
        return cloud, f"/{own}" if own.startswith("subscriptions/") else own
    if name.startswith("arn:"):
        return "aws", name
    return ("azure", name) if name.startswith("/subscriptions/") else ("", "")


def named(name: str, account: str = "", provider: str = "gcp") -> Asset:
    """An asset of which the finding says no more than its full resource name."""
    return Asset(
        kind=_kind(*_native_kinds(name)),
        provider=provider,
        account=_segment(name, "projects") or account,
        region=_region(name, ""),
        name=Outside(name.rpartition("/")[2]),
        ids=(name,),
    )


def _region(name: str, location: str) -> str:
    """A region; a zone is its region and a letter, and `global` is no place."""
    found = location or _segment(name, "zones") or _segment(name, "regions") or _segment(name, "locations")
    head, _, letter = found.rpartition("-")
    if found == "global":
        return ""
    return head if len(letter) == 1 and letter.isalpha() else found


def _account(name: str, resource: Record, foreign: str) -> str:
    """The project's id; its number only where nothing gives the id. For other clouds the account or subscription."""
    if foreign:
        said = first_text(resource, "awsMetadata.account.id", "azureMetadata.subscription.id")
        return said or (foreign.split(":")[4] if foreign.count(":") > 4 else _segment(foreign, "subscriptions"))
    project = _segment(name, "projects")
    if project and not project.isdigit():
        return project
    shown = first_text(resource, "gcpMetadata.projectDisplayName", "projectDisplayName", "project_display_name")
    return (
        shown or project or _segment(f"/{first_text(resource, 'gcpMetadata.project', 'project', 'project_name')}", "projects")
    )


def asset_of(finding: Record, resource: Record) -> Asset:
    """The resource a finding is about. v1, v2 and Pub/Sub spell the fields of `resource` differently."""
    name = text(finding, "resourceName") or text(resource, "name")
    cloud, foreign = _elsewhere(name)
    shown = first_text(resource, "displayName", "display_name") or name.rpartition("/")[2]
    strongest = foreign or _pod_id(name)
    return Asset(
        kind=_kind(text(resource, "type"), *_arn_kinds(foreign), *_native_kinds(name)),
        provider=_PROVIDERS.get(text(resource, "cloudProvider"), cloud or "gcp"),
        account=_account(name, resource, foreign) or _segment(f"/{text(finding, 'canonicalName')}", "projects"),
        region=_region("" if foreign else name, text(resource, "location")) or _arn_region(foreign),
        name=Outside(shown),
        ids=tuple(dict.fromkeys(one for one in (strongest, name) if one)),
    )


def _pod_id(name: str) -> str:
    """A pod's id in the form all platforms share, out of its full name below its cluster."""
    parts = [_segment(name, one) for one in ("clusters", "namespaces", "pods")]
    return f"k8s:{'/'.join(parts)}" if all(parts) else ""


def _arn_region(foreign: str) -> str:
    return foreign.split(":")[3] if foreign.startswith("arn:") and foreign.count(":") > 4 else ""


def principal(member: str) -> Asset:
    """A principal by e-mail or IAM member (`user:...`, `serviceAccount:...`)."""
    email = member.rpartition(":")[2]
    if not email.endswith(".gserviceaccount.com"):
        return Asset(AssetKind.USER, "gcp", name=Outside(email), ids=(email,))
    project = email.removesuffix(_SERVICE_ACCOUNT).rpartition("@")[2] if email.endswith(_SERVICE_ACCOUNT) else ""
    own = f"//iam.googleapis.com/projects/{project}/serviceAccounts/{email}" if project else email
    return Asset(AssetKind.SERVICE_ACCOUNT, "gcp", project, name=Outside(email), ids=(own,))


def pod_of(finding: Record, cluster: Asset) -> Asset | None:
    """The first pod of a finding about a cluster: a threat in a pod is about the pod, not about the whole cluster."""
    pods = items(finding, "kubernetes", "pods") if cluster.kind is AssetKind.CLUSTER and cluster.ids else []
    if not pods:
        return None
    name = text(pods[0], "name")
    own = f"k8s:{cluster.ids[0].rpartition('/')[2]}/{text(pods[0], 'ns')}/{name}"
    return Asset(AssetKind.POD, "kubernetes", cluster.account, cluster.region, Outside(name), (own,))


def ties_of(finding: Record, cluster: Asset | None) -> tuple[Tie, ...]:
    """Who did it, what was read or granted, where the pod runs and from which image."""
    who = first_text(finding, "access.principalEmail", "access.principalSubject")
    ties = [Tie("actor", principal(who))] if who else []
    ties += [Tie("touches", named(name)) for row in items(finding, "exfiltration", "sources") if (name := text(row, "name"))]
    ties += [
        Tie("touches", principal(member)) for row in items(finding, "iamBindings") if "@" in (member := text(row, "member"))
    ]
    if cluster is not None:
        ties.append(Tie("part_of", cluster))
        nodes = items(finding, "kubernetes", "nodes")
        ties += [Tie("runs_on", named(name)) for row in nodes if (name := text(row, "name")).startswith("//")]
    ties += [Tie("uses_image", image) for row in items(finding, "containers") for image in _image(row)]
    return tuple(dict.fromkeys(ties))


def _image(container: Record) -> Iterator[Asset]:
    """`imageId` is optional; the image's URI may end in the digest."""
    uri = text(container, "uri")
    at = f"{text(container, 'imageId')} {uri}".find("sha256:")
    digest = f"{text(container, 'imageId')} {uri}"[at:].partition(" ")[0] if at >= 0 else ""
    if digest:
        yield Asset(AssetKind.IMAGE, name=Outside(uri.partition("@")[0]), ids=(digest,))
