"""Attacks on what is stored."""

from __future__ import annotations

from typing import Any

from isthmus.lab import hostile
from isthmus.lab.scenes import Scene, seen
from isthmus.model.assets import Asset, AssetKind
from isthmus.model.findings import Kind, Tie
from isthmus.model.severity import Severity

CRITICAL, HIGH, MEDIUM, LOW = Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM, Severity.LOW


def public_bucket_copied(scene: Scene) -> None:
    sensitive = scene.company.sensitive
    bucket = scene.cast.take(AssetKind.BUCKET, fits=lambda one: one.ids[0] in sensitive)
    _opened(scene, bucket)
    _read_by_strangers(scene, bucket)


def _opened(scene: Scene, bucket: Asset) -> None:
    said: dict[str, Any] = {"internet": True, "sensitive": True}
    title = "Publicly exposed bucket with sensitive data (PII)"
    scene.risk("wiz", bucket, CRITICAL, "wc-id-518", title, Kind.TOXIC_COMBINATION, **said)
    title = f"The S3 object contains personal information: {bucket.name}"
    scene.risk("securityhub", bucket, HIGH, "SensitiveData:S3Object/Personal", title, Kind.DATA, sensitive=True)
    scene.risk("prisma", bucket, HIGH, "aws-s3-public-read", "AWS S3 bucket publicly readable", **said)
    rule, title = "Policy:S3/BucketAnonymousAccessGranted", f"Anonymous access was granted to the bucket {bucket.name}."
    granted = seen(ip=scene.rng.choice(scene.company.office), api="s3:PutBucketPolicy")
    scene.copied(scene.threat(-240, "guardduty", bucket, HIGH, rule, title, granted, internet=True))
    title = f"Bucket policy of {bucket.name} changed"
    scene.threat(-238, "lacework", bucket, LOW, "S3BucketPolicyChanged", title, granted)


def _read_by_strangers(scene: Scene, bucket: Asset) -> None:
    strangers = (f"192.0.2.{scene.rng.randrange(202, 210)}", f"192.0.2.{scene.rng.randrange(211, 220)}")
    rule, title = "Discovery:S3/MaliciousIPCaller", f"Objects of {bucket.name} were listed from a known malicious IP address."
    scene.threat(0, "guardduty", bucket, HIGH, rule, title, seen(ip=strangers[0], api="s3:ListObjects"), internet=True)
    rule, title = "UnauthorizedAccess:S3/TorIPCaller", f"An API of bucket {bucket.name} was invoked from a Tor exit node."
    scene.threat(16, "guardduty", bucket, HIGH, rule, title, seen(ip=strangers[1], api="s3:GetObject"), internet=True)
    title = f"Anonymous bulk download from {bucket.name}"
    read = seen(ip=strangers, user_agent=hostile.AGENT)
    scene.threat(24, "wiz", bucket, HIGH, "s3-anonymous-bulk-read", title, read, attack=("T1530",))
    title = f"Unusual amount of data leaves storage {bucket.name}"
    scene.threat(35, "orca", bucket, MEDIUM, "s3_unusual_egress", title, seen(ip=strangers[1]))


def bucket_destroyed(scene: Scene) -> None:
    company = scene.company
    bucket = scene.cast.take(AssetKind.BUCKET, fits=lambda one: one.ids[0] in company.sensitive)
    admin = scene.cast.take(AssetKind.USER, fits=lambda one: one.ids[0] in company.privileged and one.account == bucket.account)
    attacker = f"192.0.2.{scene.rng.randrange(221, 230)}"
    scene.risk("securityhub", bucket, LOW, "S3.14", "S3 general purpose buckets should have versioning enabled")
    scene.risk("orca", admin, MEDIUM, "aws_iam_user_without_mfa", f"User {admin.name} has a password and no MFA", Kind.IDENTITY)
    _lights_out(scene, admin, attacker)
    _deleted(scene, bucket, admin, attacker)


def _lights_out(scene: Scene, admin: Asset, attacker: str) -> None:
    rule, title = "UnauthorizedAccess:IAMUser/ConsoleLoginSuccess.B", f"Unusual console login of {admin.name}."
    scene.threat(0, "guardduty", admin, MEDIUM, rule, title, seen(ip=attacker, api="signin:ConsoleLogin"), attack=("T1078",))
    title = f"User {admin.name} logged in without MFA from a new country"
    scene.threat(2, "lacework", admin, MEDIUM, "UserLoginNoMfa", title, seen(ip=attacker, api="ConsoleLogin"))
    rule, title = "Stealth:IAMUser/CloudTrailLoggingDisabled", f"CloudTrail trail was disabled by {admin.name}."
    off = seen(ip=attacker, api="cloudtrail:StopLogging")
    scene.copied(scene.threat(12, "guardduty", admin, LOW, rule, title, off, attack=("T1562.008",)))
    scene.threat(13, "lacework", admin, MEDIUM, "CloudTrailStopped", f"CloudTrail stopped by {admin.name}", off)


def _deleted(scene: Scene, bucket: Asset, admin: Asset, attacker: str) -> None:
    by = (Tie("actor", admin),)
    rule, title = "Stealth:S3/ServerAccessLoggingDisabled", f"Server access logging was disabled for bucket {bucket.name}."
    scene.threat(19, "guardduty", bucket, LOW, rule, title, seen(ip=attacker, api="s3:PutBucketLogging"), by)
    title = f"Versioning suspended on bucket {bucket.name}"
    scene.threat(22, "lacework", bucket, LOW, "S3BucketVersioningChanged", title, seen(ip=attacker), by)
    rule, title = (
        "Impact:S3/AnomalousBehavior.Delete",
        f"Objects of {bucket.name} were deleted in an unusual way by {admin.name}.",
    )
    deleted = seen(ip=attacker, api="s3:DeleteObjects")
    scene.copied(scene.threat(31, "guardduty", bucket, HIGH, rule, title, deleted, by, attack=("T1485",)))
    title = f"Mass deletion of objects in {bucket.name}"
    scene.threat(36, "wiz", bucket, HIGH, "s3-mass-delete", title, deleted, by, attack=("T1485", "T1490"))
    title = "Ransom note RESTORE-FILES.txt written to a bucket"
    scene.threat(44, "orca", bucket, MEDIUM, "s3_ransom_note", title, seen(ip=attacker), by, text=hostile.ORDERS[2])
