"""Builds the company from a seed: the same seed and size give the same company, to the last character."""

from __future__ import annotations

import random
import string
from uuid import UUID

from isthmus.lab.company import Company, Home
from isthmus.model.assets import Asset, AssetKind
from isthmus.model.findings import Tie
from isthmus.model.outside import Outside

SIZES = {"small": 1, "medium": 3, "large": 8}
"""How many times the small company each size is."""

_APP_NAMES = (
    "checkout ledger search booking freight invoice pricing customer catalog notify reports gateway tariff dock manifest fleet"
)
_PEOPLE_NAMES = "amara bjorn chioma dmitri elif farah goran hana ines jonas kaya luca mirela nadim oskar priya"
_APPS, _PEOPLE = _APP_NAMES.split(), _PEOPLE_NAMES.split()
_HOMES = (
    ("prod", "aws", "eu-west-1", "production", "payments-platform", "high"),
    ("data", "aws", "eu-west-1", "production", "data-platform", "high"),
    ("staging", "aws", "eu-central-1", "staging", "release-engineering", "medium"),
    ("tools", "aws", "eu-west-1", "production", "developer-experience", "medium"),
    ("dev", "aws", "us-east-1", "development", "engineering", "low"),
    ("office", "azure", "westeurope", "production", "corporate-it", "medium"),
    ("analytics", "gcp", "europe-west1", "production", "data-science", "medium"),
)


def build(seed: int, size: str = "small") -> Company:
    """The company of this seed."""
    site = _Site(random.Random(f"company {seed} {size}"))
    for home in site.homes:
        for number in range(1, 1 + 6 * SIZES[size]):
            _furnish(site, home, number)
    return Company(
        homes=site.homes,
        assets=tuple(site.assets),
        ties=site.ties,
        reads=site.reads,
        facing=frozenset(site.facing),
        sensitive=frozenset(site.sensitive),
        privileged=frozenset(site.privileged),
        office=("198.51.100.7", "198.51.100.8", "198.51.100.9", "198.51.100.10"),
        testers=("203.0.113.200", "203.0.113.201"),
    )


class _Site:
    """The company while it is being built."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.homes = tuple(self._home(*row) for row in _HOMES)
        self.assets: list[Asset] = []
        self.ties: dict[str, tuple[Tie, ...]] = {}
        self.reads: dict[str, Asset] = {}
        self.facing: set[str] = set()
        self.sensitive: set[str] = set()
        self.privileged: set[str] = set()

    def _home(self, name: str, provider: str, region: str, environment: str, owner: str, criticality: str) -> Home:
        number = str(self.rng.randrange(10**11, 10**12))
        ids = {"aws": number, "azure": str(UUID(int=self.rng.getrandbits(128))), "gcp": f"tidewater-{name}-{number[:4]}"}
        return Home(ids[provider], f"tidewater-{name}", provider, region, environment, owner, criticality)

    def hex(self, digits: int) -> str:
        return f"{self.rng.getrandbits(4 * digits):0{digits}x}"

    def key(self, prefix: str) -> str:
        return prefix + "".join(self.rng.choices(string.ascii_uppercase + "234567", k=16))

    def add(self, home: Home, kind: AssetKind, name: str, ids: tuple[str, ...], ties: tuple[Tie, ...] = ()) -> Asset:
        tags = (("team", Outside(home.owner)), ("env", Outside(home.environment)))
        cloud = kind in (AssetKind.POD, AssetKind.CONTAINER, AssetKind.IMAGE)
        asset = Asset(kind, home.provider, home.id, home.region, Outside(name), ids, () if cloud else tags)
        self.assets.append(asset)
        self.ties[ids[0]] = ties
        return asset


def _furnish(site: _Site, home: Home, number: int) -> None:
    """The `number`th set of everything one account has."""
    app = f"{_APPS[(number * 5 + site.homes.index(home) * 3) % len(_APPS)]}-{number:02d}"
    if home.provider == "azure":
        _azure(site, home, app)
    elif home.provider == "gcp":
        _gcp(site, home, app)
    else:
        host = _host(site, home, app)
        _person(site, home, number)
        if number % 2:
            _function(site, home, app)
            _database(site, home, app)
        if home.name in ("tidewater-prod", "tidewater-staging"):
            _workload(site, home, app, host)


def _arn(service: str, home: Home, rest: str, regional: bool = True) -> str:
    return f"arn:aws:{service}:{home.region if regional else ''}:{home.id}:{rest}"


def _role(site: _Site, home: Home, name: str) -> Asset:
    return site.add(home, AssetKind.ROLE, name, (_arn("iam", home, f"role/{name}", False),))


def _bucket(site: _Site, home: Home, app: str) -> Asset:
    purpose = site.rng.choice(("exports", "uploads", "backups", "archive", "assets"))
    name = f"{home.name}-{app}-{purpose}-{site.hex(4)}"
    bucket = site.add(home, AssetKind.BUCKET, name, (f"arn:aws:s3:::{name}", name))
    if purpose != "assets" and home.name in ("tidewater-prod", "tidewater-data"):
        site.sensitive.add(bucket.ids[0])
    return bucket


def _host(site: _Site, home: Home, app: str) -> Asset:
    """An instance with its role, the bucket the role reads, and its security group."""
    bucket, role = _bucket(site, home, app), _role(site, home, f"{app}-instance")
    site.reads[role.ids[0]] = bucket
    group_id = f"sg-0{site.hex(16)}"
    group = site.add(home, AssetKind.SECURITY_GROUP, f"{app}-sg", (_arn("ec2", home, f"security-group/{group_id}"), group_id))
    own = f"i-0{site.hex(16)}"
    ties = (Tie("acts_as", role), Tie("guarded_by", group))
    host = site.add(home, AssetKind.INSTANCE, f"{app}-{home.environment}", (_arn("ec2", home, f"instance/{own}"), own), ties)
    if site.rng.random() < 0.5:
        site.facing |= {host.ids[0], group.ids[0]}
    return host


def _person(site: _Site, home: Home, number: int) -> None:
    name = _PEOPLE[(number * 3 + site.homes.index(home)) % len(_PEOPLE)] + (f".{number}" if number > 6 else "")
    user = site.add(home, AssetKind.USER, name, (_arn("iam", home, f"user/{name}", False),))
    site.add(home, AssetKind.ACCESS_KEY, f"{name}'s key", (site.key("AKIA"),), (Tie("owns_key", user),))
    if number % 3 == 1:
        admin = _role(site, home, f"admin-{name}")
        site.privileged |= {user.ids[0], admin.ids[0]}


def _function(site: _Site, home: Home, app: str) -> None:
    role = _role(site, home, f"{app}-lambda")
    name = f"{app}-worker"
    site.add(home, AssetKind.FUNCTION, name, (_arn("lambda", home, f"function:{name}"),), (Tie("acts_as", role),))


def _database(site: _Site, home: Home, app: str) -> None:
    database = site.add(home, AssetKind.DATABASE, f"{app}-db", (_arn("rds", home, f"db:{app}-db"),))
    site.sensitive.add(database.ids[0])


def _workload(site: _Site, home: Home, app: str, node: Asset) -> None:
    """A pod with one container, on a node of the account's cluster."""
    name = f"{home.name}-eks"
    known = [one for one in site.assets if one.kind is AssetKind.CLUSTER and one.account == home.id]
    cluster = known[0] if known else site.add(home, AssetKind.CLUSTER, name, (_arn("eks", home, f"cluster/{name}"),))
    digest = f"sha256:{site.hex(64)}"
    registry = f"{home.id}.dkr.ecr.{home.region}.amazonaws.com/{app.rpartition('-')[0]}:1.{site.rng.randrange(40)}"
    image = site.add(home, AssetKind.IMAGE, registry, (digest, registry))
    role = _role(site, home, f"{app}-pod")
    pod_name = f"{app}-{site.hex(9)}-{site.hex(5)}"
    ties = (Tie("runs_on", node), Tie("uses_image", image), Tie("part_of", cluster), Tie("acts_as", role))
    namespace = app.rpartition("-")[0]
    pod = site.add(home, AssetKind.POD, pod_name, (f"k8s:{name}/{namespace}/{pod_name}",), ties)
    inside = (Tie("runs_on", node), Tie("uses_image", image), Tie("part_of", pod))
    container = site.add(home, AssetKind.CONTAINER, app, (site.hex(64),), inside)
    site.ties[pod.ids[0]] = (*ties, Tie("touches", container))


def _azure(site: _Site, home: Home, app: str) -> None:
    group = f"/subscriptions/{home.id}/resourceGroups/prod/providers"
    host = site.add(home, AssetKind.INSTANCE, f"vm-{app}", (f"{group}/Microsoft.Compute/virtualMachines/vm-{app}",))
    storage = f"tw{app.replace('-', '')}{site.hex(4)}"
    site.add(home, AssetKind.BUCKET, storage, (f"{group}/Microsoft.Storage/storageAccounts/{storage}",))
    if site.rng.random() < 0.5:
        site.facing.add(host.ids[0])


def _gcp(site: _Site, home: Home, app: str) -> None:
    place = f"projects/{home.id}"
    email = f"{app}@{home.id}.iam.gserviceaccount.com"
    account = site.add(home, AssetKind.SERVICE_ACCOUNT, app, (f"//iam.googleapis.com/{place}/serviceAccounts/{email}",))
    own = f"//compute.googleapis.com/{place}/zones/{home.region}-b/instances/{app}-{site.hex(4)}"
    host = site.add(home, AssetKind.INSTANCE, f"{app}-vm", (own,), (Tie("acts_as", account),))
    bucket = f"{home.id}-{app}"
    site.add(home, AssetKind.BUCKET, bucket, (f"//storage.googleapis.com/{bucket}",))
    if site.rng.random() < 0.3:
        site.facing.add(host.ids[0])
