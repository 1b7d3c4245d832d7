"""The other audits of Prisma Cloud Compute: web (WAAS), network (CNNS), trust, admission, file integrity, log inspection.

None of them carries a severity. What stands in for it is chosen per machine category, below, with the reason.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from isthmus.connectors.prisma.compute_runtime import STOPPED
from isthmus.connectors.prisma.places import account_of, cluster_tie, given, image, indicators, machine, spoken, workload
from isthmus.connectors.prisma.techniques import attack_of
from isthmus.contracts.reading import Record, each, first_text, flag, items, needed, number, section, text, when, words
from isthmus.contracts.roles import Claims
from isthmus.model.assets import Asset, AssetKind, asset_kind
from isthmus.model.deliveries import Origin
from isthmus.model.errors import Untrusted
from isthmus.model.findings import Finding, Kind, Tie, Times, short_hash
from isthmus.model.outside import Outside
from isthmus.model.severity import Severity

_BOTS = frozenset(
    {
        "searchEngineCrawler",
        "businessAnalyticsBot",
        "educationalBot",
        "newsBot",
        "financialBot",
        "contentFeedClient",
        "archivingBot",
        "careerSearchBot",
        "mediaSearchBot",
        "genericBot",
        "webAutomationTool",
        "webScraper",
        "apiLibrary",
        "httpLibrary",
        "sessionValidation",
        "javascriptTimeout",
        "missingCookie",
        "browserImpersonation",
        "requestAnomalies",
        "userDefinedBot",
    }
)
_TAKEOVER = frozenset({"cmdi", "codeInjection", "sqli", "lfi", "shellshock"})
_WEB = frozenset(
    {
        "xss",
        "attackTools",
        "informationLeak",
        "dos",
        "malformedRequest",
        "unexpectedAPI",
        "disallowedFile",
        "deniedIP",
        "deniedCountry",
        "header",
    }
)
_REFUSED = 300
_RAW_LIMIT = 262_144


def _web_severity(record: Record, attack: str) -> Severity:
    """WAAS sees attempts, and whatever faces the internet is tried all day. So it counts whether the application
    answered with success: an attack that gives the machine away if it works (Prisma itself maps these to remote
    execution) is then high, another breach of the web rules medium; refused or stopped, each is one lower. Bots and
    libraries, which most sites are visited by, are low.
    """
    if attack in _BOTS:
        return Severity.LOW
    if attack not in _TAKEOVER and attack not in _WEB:
        return Severity.UNKNOWN
    answer = number(record, "statusCode")
    served = text(record, "effect").lower() not in STOPPED and (answer is None or answer < _REFUSED)
    return Severity((Severity.HIGH if attack in _TAKEOVER else Severity.MEDIUM) - (0 if served else 1))


def _web_seen(record: Record) -> Iterator[tuple[str, str]]:
    """`subnet` is the address of the client, whatever its name says."""
    yield "ip", text(record, "subnet")
    yield "user_agent", text(record, "userAgentHeader")
    yield "api", " ".join(given(text(record, "method"), text(record, "urlPath")))


def read_waas(record: Record, origin: Origin) -> Claims:
    """A web application firewall audit: one attack on one application."""
    own = needed(first_text(record, "_id", "eventID"), "_id")
    attack, happened = text(record, "type"), when(record, "time")
    asset, ties = workload(record)
    yield Finding(
        source="prisma",
        source_id=own,
        tenant=origin.tenant,
        instance=origin.instance,
        kind=Kind.THREAT,
        rule=attack,
        title=Outside(f"Web attack: {attack}"),
        description=Outside(text(record, "msg")),
        severity=_web_severity(record, attack),
        asset=asset,
        times=Times(happened, happened, origin.received),
        first_seen=happened,
        last_seen=happened,
        attack=attack_of(words(record, "attackTechniques")),
        ties=ties,
        indicators=indicators(_web_seen(record)),
        blocked=text(record, "effect").lower() in STOPPED,
    )


def _connector(audit: Record) -> tuple[Asset, tuple[Tie, ...]]:
    """Who opened the connection. Containers come as their profile, `sha256:<image>_<namespace>_<cluster>`."""
    profile, account = text(audit, "srcProfileID"), account_of(audit, "accountID")
    if not first_text(audit, "srcContainerName", "srcImageName"):
        return Asset(AssetKind.INSTANCE, account=account, name=Outside(text(audit, "srcHostname"))), ()
    digest = profile.partition("_")[0]
    picture = image(digest if digest.startswith("sha256:") else "", text(audit, "srcImageName"))
    own = f"prisma:{profile}" if profile else ""
    asset = Asset(AssetKind.CONTAINER, account=account, name=Outside(text(audit, "srcContainerName")), ids=given(own))
    return asset, (Tie("uses_image", picture),) if picture.ids else ()


def _connection(audit: Record, origin: Origin) -> Finding:
    """One kind of connection: same rule, same ends, same port. Prisma lists every time it happened, we keep the last.

    A connection nobody declared is medium: it left the learned model, which is no attack by itself.
    """
    asset, ties = _connector(audit)
    happened, rule = when(audit, "time"), needed(text(audit, "type"), "type")
    ends = ("srcProfileID", "srcHostname", "srcContainerName", "dstProfileID", "dstHostname", "dstContainerName", "dstSubnet")
    same = (rule, asset.account, *(text(audit, name) for name in ("ruleID", *ends, "dstPort")))
    return Finding(
        source="prisma",
        source_id=f"cnns/{short_hash(*same, length=24)}",
        tenant=origin.tenant,
        instance=origin.instance,
        kind=Kind.THREAT,
        rule=rule,
        title=Outside(f"{spoken(rule)} to {first_text(audit, 'dstHostname', 'dstContainerName', 'dstSubnet') or 'outside'}"),
        description=Outside(text(audit, "msg")),
        severity=Severity.MEDIUM,
        asset=asset,
        times=Times(happened, happened, origin.received),
        last_seen=happened,
        ties=ties,
        blocked=flag(audit, "block") or False,
    )


def _trust(audit: Record, origin: Origin) -> Finding:
    """An image nobody vouched for was started. Medium: a rule was broken, nothing is known against the image."""
    name, happened = text(audit, "imageName"), when(audit, "time")
    digest = name.partition("@")[2]
    picture = image(text(audit, "imageID"), name)
    cluster, account = text(audit, "cluster"), account_of(audit, "accountID")
    own = needed(text(audit, "imageID") or digest or name, "imageID")
    return Finding(
        source="prisma",
        source_id="/".join(given("trust", account, cluster, own)),
        tenant=origin.tenant,
        instance=origin.instance,
        kind=Kind.MISCONFIGURATION,
        rule="untrusted",
        title=Outside("Untrusted image"),
        description=Outside(text(audit, "msg")),
        severity=Severity.MEDIUM,
        asset=Asset(AssetKind.IMAGE, account=account, name=Outside(name), ids=given(digest, *picture.ids)),
        times=Times(happened, happened, origin.received),
        last_seen=happened,
        ties=cluster_tie(cluster),
        blocked=text(audit, "effect").lower() in STOPPED,
    )


def read_grouped(record: Record, origin: Origin) -> Claims:
    """Network (CNNS) and trust audits come in groups by resource and type; each audit is a claim."""
    groups = section(record, "audits")
    if not groups:
        raise Untrusted("a group of Prisma Cloud audits with no audit in it: nothing to triage", "audits")
    for name in groups:
        yield from _group(record, name, origin)


def _group(record: Record, name: str, origin: Origin) -> Claims:
    read = _trust if name == "untrusted" else _connection
    yield from each(items(record, "audits", name, "audits"), f"audits.{name}.audits", lambda audit: read(audit, origin))


def _raw_name(record: Record) -> str:
    """The name of the object in the admission request Prisma kept, which is JSON written as text and often cut off."""
    raw = text(record, "rawRequest")
    if not raw.startswith("{") or len(raw) > _RAW_LIMIT:
        return ""
    try:
        request: Any = json.loads(raw)
    except (ValueError, RecursionError):
        return ""
    for key in ("request", "object", "metadata", "name"):
        request = request.get(key) if isinstance(request, dict) else None
    return request if isinstance(request, str) else ""


def _requester(record: Record, cluster: str) -> tuple[Tie, ...]:
    """Who asked. EKS puts the AWS principal's id at the end of the user's uid."""
    user, principal = text(record, "username"), text(record, "userUid").rpartition(":")[2]
    account = account_of(record, "accountID")
    parts = user.split(":")
    if parts[:2] == ["system", "serviceaccount"] and len(parts) == 4:
        own = f"k8s:{cluster}/{parts[2]}/serviceaccounts/{parts[3]}"
        return (Tie("actor", Asset(AssetKind.SERVICE_ACCOUNT, "kubernetes", account, name=Outside(parts[3]), ids=(own,))),)
    aws = principal if principal.startswith(("AIDA", "AROA")) else ""
    ids = given(aws, f"k8s:{cluster}/users/{user}" if user else "")
    return (Tie("actor", Asset(AssetKind.USER, "kubernetes", account, name=Outside(user), ids=ids)),) if ids else ()


def read_admission(record: Record, origin: Origin) -> Claims:
    """An admission audit: somebody asked the cluster for something a rule speaks of. It has no id: the same request
    by the same user under the same rule is the same finding, seen again.

    Tampering with the defence is high. Others are medium: administrators do them too.
    """
    cluster, namespace, operation = text(record, "cluster"), text(record, "namespace"), text(record, "operation")
    rule, name, happened = needed(text(record, "ruleName"), "ruleName"), _raw_name(record), when(record, "time")
    techniques = words(record, "attackTechniques")
    path = "/".join(given(namespace, "" if text(record, "kind") == "Pod" else text(record, "resource"), name))
    same = (*(text(record, one) for one in ("kind", "resource", "username", "userUid")), namespace, operation, rule, name)
    yield Finding(
        source="prisma",
        source_id=f"admission/{short_hash(account_of(record, 'accountID'), cluster, *same, length=24)}",
        tenant=origin.tenant,
        instance=origin.instance,
        kind=Kind.THREAT,
        rule=rule,
        title=Outside(text(record, "message") or rule),
        description=Outside(f"{operation} {text(record, 'resource')} in {namespace or 'the cluster'}: {rule}"),
        severity=Severity.HIGH if "impairDefences" in techniques else Severity.MEDIUM,
        asset=Asset(
            kind=asset_kind(text(record, "kind")),
            provider="kubernetes",
            account=account_of(record, "accountID"),
            name=Outside(name),
            ids=(f"k8s:{cluster}/{path}",) if name and cluster else (),
        ),
        times=Times(happened, happened, origin.received),
        last_seen=happened,
        attack=attack_of(techniques),
        ties=(*cluster_tie(cluster), *_requester(record, cluster)),
        indicators=indicators([("api", " ".join(given(operation, text(record, "resource"))))]),
        blocked=text(record, "effect").lower() in STOPPED,
    )


def _on_host(record: Record, origin: Origin, rule: str, title: str, about: str, severity: Severity) -> Finding:
    happened = when(record, "time")
    return Finding(
        source="prisma",
        source_id=needed(text(record, "_id"), "_id"),
        tenant=origin.tenant,
        instance=origin.instance,
        kind=Kind.THREAT,
        rule=rule,
        title=Outside(title),
        description=Outside(about),
        severity=severity,
        asset=machine(record),
        times=Times(happened, happened, origin.received),
        first_seen=happened,
        last_seen=happened,
        ties=cluster_tie(text(record, "cluster")),
        indicators=indicators([("process", text(record, "processName"))]),
    )


def read_file_integrity(record: Record, origin: Origin) -> Claims:
    """A watched file was touched on a host. A write changes something and is medium, a read is low."""
    event = text(record, "eventType")
    severity = Severity.LOW if event == "read" else Severity.MEDIUM
    title = f"File integrity: {event} of {text(record, 'path')}"
    yield _on_host(record, origin, f"fileIntegrity/{event}", title, text(record, "description"), severity)


def read_log_inspection(record: Record, origin: Origin) -> Claims:
    """A line of a log matched a pattern of the customer's. Medium: a person thought it worth a rule, no more is known."""
    rule = text(record, "ruleName")
    yield _on_host(record, origin, rule, f"Log inspection: {rule}", text(record, "line"), Severity.MEDIUM)


def is_grouped(record: Record) -> bool:
    return isinstance(record.get("audits"), dict)
