"""The lasting fix, fitted to the resource: templates filled only with names that passed the provider's grammar."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from isthmus.model.assets import Asset, AssetKind
from isthmus.model.findings import Finding, Kind
from isthmus.model.incidents import Incident
from isthmus.model.plans import Remedy
from isthmus.model.problems import Problem
from isthmus.plan.targets import cloud_of, target_of

_MOST = 6

_TEMPLATES: dict[tuple[Problem, str, AssetKind], tuple[tuple[str, str, str], ...]] = {
    (Problem.PUBLIC_BUCKET, "aws", AssetKind.BUCKET): (
        ("Close the bucket to the public", "terraform", "public_bucket.aws.tf"),
        ("The same by command", "cli", "public_bucket.aws.sh"),
    ),
    (Problem.PUBLIC_BUCKET, "azure", AssetKind.BUCKET): (("Close the storage account", "cli", "public_bucket.azure.sh"),),
    (Problem.PUBLIC_BUCKET, "gcp", AssetKind.BUCKET): (("Close the bucket to the public", "cli", "public_bucket.gcp.sh"),),
    (Problem.PERMISSIVE_IDENTITY, "aws", AssetKind.ROLE): (
        ("Bound the role while its policy is cut down", "policy", "permissive_role.aws.json"),
        ("See what the role really used, then replace its policy", "cli", "permissive_role.aws.sh"),
    ),
    (Problem.PERMISSIVE_IDENTITY, "aws", AssetKind.USER): (
        ("Bound the user while its policy is cut down", "policy", "permissive_role.aws.json"),
        ("See what the user really used, then replace its policy", "cli", "permissive_user.aws.sh"),
    ),
    (Problem.LEAKED_KEY, "aws", AssetKind.ACCESS_KEY): (("Retire the key", "cli", "leaked_key.aws.sh"),),
    (Problem.OPEN_SECURITY_GROUP, "aws", AssetKind.SECURITY_GROUP): (
        ("Let in only who must come in", "terraform", "open_security_group.aws.tf"),
        ("See and remove the open rules", "cli", "open_security_group.aws.sh"),
    ),
    (Problem.OPEN_SECURITY_GROUP, "azure", AssetKind.SECURITY_GROUP): (
        ("See and remove the open rules", "cli", "open_security_group.azure.sh"),
    ),
    (Problem.OPEN_SECURITY_GROUP, "gcp", AssetKind.SECURITY_GROUP): (
        ("Narrow the firewall rule", "cli", "open_security_group.gcp.sh"),
    ),
}
_ON_ATTACK: dict[tuple[str, AssetKind], tuple[str, str, str]] = {
    ("aws", AssetKind.INSTANCE): ("Keep the evidence, replace the instance", "cli", "compromised_instance.aws.sh"),
    ("aws", AssetKind.ACCESS_KEY): ("Retire the key", "cli", "leaked_key.aws.sh"),
    ("", AssetKind.POD): ("Cut the pod off, keep it for forensics", "policy", "isolate_pod.yaml"),
    ("", AssetKind.CONTAINER): ("Keep the evidence, rebuild from a clean image", "cli", "compromised_container.sh"),
}
"""What to do with a workload or key under attack, whatever the attack is called."""
_WORDS = {
    Problem.PUBLIC_BUCKET: "Remove public access from the bucket's policy and access list; turn on its public-access block.",
    Problem.PERMISSIVE_IDENTITY: "Replace wildcard permissions by the actions this identity used in the last 90 days.",
    Problem.LEAKED_KEY: "Revoke the secret where it was issued, issue a new one from a vault, remove it where it was found.",
    Problem.OPEN_SECURITY_GROUP: "Replace 0.0.0.0/0 and ::/0 by the addresses that need access.",
    Problem.CRYPTOMINING: "Replace the workload from a clean image, rotate every credential it could read, close the way in.",
    Problem.PUBLIC_DATABASE: "Take the data store off public networks and allow only the application's addresses.",
    Problem.EXPOSED_INSTANCE: "Put the workload behind a load balancer or VPN and close its public ports.",
    Problem.NO_ENCRYPTION: "Turn on encryption at rest and in transit with a managed key.",
    Problem.NO_LOGGING: "Turn on logging and ship it to an account nobody in this one can change.",
    Problem.NO_MFA: "Require multi-factor authentication for every person.",
    Problem.STALE_CREDENTIAL: "Delete unused credentials; rotate the rest every 90 days.",
}
_UNTIL_THEN = (
    " Until then: block its attack pattern in the web application firewall, take the workload off the internet and review "
    "its security group."
)


@cache
def _environment() -> Environment:
    return Environment(  # noqa: S701 - these are shell, HCL and JSON, filled with names that passed plan.targets
        loader=PackageLoader("isthmus.plan", "templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )


def remedies(incident: Incident) -> tuple[Remedy, ...]:
    """Up to six fixes, gravest member's first, each for one resource and each only once."""
    found: dict[tuple[str, str, str], Remedy] = {}
    for finding in incident.findings:
        if len(found) >= _MOST:
            break
        for remedy in _for(finding):
            found.setdefault((remedy.title, remedy.form, remedy.target), remedy)
    return tuple(found.values())[:_MOST]


def _for(finding: Finding) -> Iterator[Remedy]:
    if finding.kind is Kind.VULNERABILITY:
        yield from _upgrades(finding)
        return
    if finding.kind is Kind.THREAT:
        yield from _after_attack(finding.asset)
    for problem in finding.problems:
        fitted = list(_fitted(problem, finding.asset))
        yield from fitted
        if not fitted and problem in _WORDS:
            yield Remedy(problem.words.capitalize(), "text", _WORDS[problem], finding.asset.id)


def _after_attack(asset: Asset) -> Iterator[Remedy]:
    cloud = cloud_of((asset.id, *asset.aliases), asset.provider)
    chosen = _ON_ATTACK.get((cloud, asset.kind)) or _ON_ATTACK.get(("", asset.kind))
    yield from _filled((chosen,) if chosen else (), asset)


def _fitted(problem: Problem, asset: Asset) -> Iterator[Remedy]:
    cloud = cloud_of((asset.id, *asset.aliases), asset.provider)
    yield from _filled(_TEMPLATES.get((problem, cloud, asset.kind), ()), asset)


def _filled(templates: Iterable[tuple[str, str, str]], asset: Asset) -> Iterator[Remedy]:
    """The templates with the asset's name in them; none where its name does not fit the provider's grammar."""
    target = target_of(asset)
    for title, form, template in templates if target else ():
        body = _environment().get_template(template).render(target=target, label=_label(target), region=_region(asset))
        yield Remedy(title, form, body, target)


def _label(target: str) -> str:
    """A Terraform resource name: letters, digits and underscores, starting with a letter."""
    return "r_" + "".join(c if c.isalnum() and c.isascii() else "_" for c in target.lower())[:60]


def _region(asset: Asset) -> str:
    return asset.region if asset.region.replace("-", "").isalnum() and asset.region.isascii() else ""


def _upgrades(finding: Finding) -> Iterator[Remedy]:
    for one in finding.vulnerabilities:
        what = f"{one.package or 'the affected package'} {one.version}".strip()
        to = (
            f"Upgrade {what} to {one.fixed_version}."
            if one.fixed_version
            else f"No fixed version was given for {what}; ask its vendor."
        )
        until = ""
        if finding.internet:
            until = _UNTIL_THEN
        yield Remedy(f"Fix {one.cve}", "text", f"{to}{until}", finding.asset.id)
