"""Attacks with other people's credentials."""

from __future__ import annotations

from isthmus.lab import hostile
from isthmus.lab.scenes import Scene, seen
from isthmus.model.assets import Asset, AssetKind
from isthmus.model.findings import Kind, Tie
from isthmus.model.outside import Outside
from isthmus.model.severity import Severity

CRITICAL, HIGH, MEDIUM, LOW = Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM, Severity.LOW


def _key(scene: Scene, holder: Asset, prefix: str) -> Asset:
    """A key the company does not have on its list: a session's, or one the attacker makes."""
    letters = "".join(scene.rng.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", k=16))
    return Asset(AssetKind.ACCESS_KEY, "aws", holder.account, holder.region, Outside(""), (prefix + letters,))


def stolen_instance_credentials(scene: Scene) -> None:
    company, taken = scene.company, scene.cast.taken
    host = scene.cast.take(
        AssetKind.INSTANCE,
        fits=lambda one: (
            one.ids[0] in company.facing and company.reads[company.tied(one, "acts_as").ids[0]].ids[0] not in taken
        ),
    )
    role = scene.cast.also(company.tied(host, "acts_as"))
    bucket = scene.cast.also(company.reads[role.ids[0]])
    scene.risk("securityhub", host, HIGH, "EC2.8", "EC2 instances should use Instance Metadata Service Version 2 (IMDSv2)")
    title = f"Role {role.name} can read every bucket of the account"
    scene.risk("orca", role, MEDIUM, "aws_iam_role_wide_s3_read", title, Kind.IDENTITY, ties=(Tie("touches", bucket),))
    _session(scene, host, role)
    _copied_out(scene, role, bucket)


def _session(scene: Scene, host: Asset, role: Asset) -> None:
    attacker = f"192.0.2.{scene.rng.randrange(150, 170)}"
    key = _key(scene, role, "ASIA")
    title = "Web application queried the instance metadata service for credentials"
    process = seen(ip="169.254.169.254", process="curl http://169.254.169.254/latest/meta-data/iam/security-credentials/")
    scene.threat(0, "wiz", host, MEDIUM, "imds-credential-access", title, process, attack=("T1552.005",))
    rule = "UnauthorizedAccess:IAMUser/InstanceCredentialExfiltration.OutsideAWS"
    title = f"Credentials for the EC2 instance role {role.name} were used from an external IP address."
    used = seen(ip=attacker, api="s3:ListBuckets", user_agent="aws-cli/2.15.0")
    ties = (Tie("owns_key", role), Tie("actor", role))
    scene.copied(scene.threat(14, "guardduty", key, HIGH, rule, title, used, ties, attack=("T1552.005",)))
    rule, title = "Discovery:IAMUser/AnomalousBehavior", f"{role.name} called ListBuckets and ListRoles in an unusual way."
    scene.threat(17, "guardduty", key, LOW, rule, title, seen(ip=attacker, api="iam:ListRoles"), ties)
    title = f"Assumed role {role.name} used from a new country"
    scene.threat(19, "lacework", role, MEDIUM, "LoginFromKnownBadIp", title, seen(ip=attacker, api="ListBuckets"))
    title = f"Potentially compromised AWS credentials: {role.name}"
    scene.threat(60, "lacework", role, HIGH, "PotentiallyCompromisedAwsCredentials", title, seen(ip=attacker))


def _copied_out(scene: Scene, role: Asset, bucket: Asset) -> None:
    attacker = f"192.0.2.{scene.rng.randrange(150, 170)}"
    done_by = (Tie("actor", role),)
    rule, title = "Discovery:S3/AnomalousBehavior", f"An unusual listing of objects in {bucket.name} was made by {role.name}."
    scene.threat(31, "guardduty", bucket, LOW, rule, title, seen(ip=attacker, api="s3:ListObjectsV2"), done_by)
    rule = "Exfiltration:S3/AnomalousBehavior"
    title = f"An API used to read objects of {bucket.name} was called in an unusual way by {role.name}."
    read = seen(ip=attacker, api="s3:GetObject", user_agent=hostile.AGENT)
    scene.copied(scene.threat(44, "guardduty", bucket, HIGH, rule, title, read, done_by, attack=("T1530",)))
    title = f"Unusual volume of data read from bucket {bucket.name}"
    scene.threat(52, "wiz", bucket, HIGH, "s3-mass-read", title, seen(ip=attacker), done_by, attack=("T1530",))


def leaked_access_key(scene: Scene) -> None:
    company, taken = scene.company, scene.cast.taken
    key = scene.cast.take(AssetKind.ACCESS_KEY, fits=lambda one: company.tied(one, "owns_key").ids[0] not in taken)
    user = scene.cast.also(scene.company.tied(key, "owns_key"))
    title = f"AWS access key of {user.name} found in a source repository"
    scene.risk("orca", key, HIGH, "aws_access_key_in_repository", title, Kind.SECRET)
    scene.risk("securityhub", user, MEDIUM, "IAM.3", "IAM users' access keys should be rotated every 90 days or less")
    attacker = f"192.0.2.{scene.rng.randrange(171, 190)}"
    _looked_around(scene, key, user, attacker)
    _settled(scene, key, user, attacker)


def _looked_around(scene: Scene, key: Asset, user: Asset, attacker: str) -> None:
    holder = (Tie("owns_key", user), Tie("actor", user))
    rule, title = "Discovery:IAMUser/AnomalousBehavior", f"{user.name} called ListUsers and GetAccountAuthorizationDetails."
    scene.threat(0, "guardduty", key, LOW, rule, title, seen(ip=attacker, api="iam:ListUsers"), holder)
    title = f"User {user.name} logged in from a new source country"
    scene.threat(3, "lacework", user, MEDIUM, "NewSourceCountry", title, seen(ip=attacker, api="GetCallerIdentity"))
    title = "Unusual user activity"
    scene.threat(
        9, "prisma", user, MEDIUM, "ueba-unusual-location", title, seen(ip=attacker, api="ListUsers", access_key=key.ids[0])
    )
    rule, title = "UnauthorizedAccess:IAMUser/ConsoleLoginSuccess.B", f"Multiple worldwide console logins for {user.name}."
    login = seen(ip=attacker, api="signin:ConsoleLogin")
    scene.copied(scene.threat(21, "guardduty", user, MEDIUM, rule, title, login, attack=("T1078",)))


def _settled(scene: Scene, key: Asset, user: Asset, attacker: str) -> None:
    """The attacker leaves a user of their own behind, and its new key."""
    holder, name = (
        (Tie("owns_key", user), Tie("actor", user)),
        scene.rng.choice(("svc-backup2", "aws-support-ro", "cloudwatch-sync")),
    )
    planted = Asset(
        AssetKind.USER, "aws", user.account, user.region, Outside(name), (f"arn:aws:iam::{user.account}:user/{name}",)
    )
    rule, title = (
        "Persistence:IAMUser/AnomalousBehavior",
        f"{user.name} called CreateUser and CreateAccessKey in an unusual way.",
    )
    made = seen(ip=attacker, api="iam:CreateUser")
    finding = scene.threat(
        38, "guardduty", key, MEDIUM, rule, title, made, (*holder, Tie("touches", planted)), attack=("T1136.003",)
    )
    scene.copied(finding)
    title = f"New IAM user {name} created by {user.name}"
    scene.threat(39, "lacework", user, LOW, "NewUser", title, made, (Tie("touches", planted),))
    title = f"Administrator policy attached to user {name}"
    attached = seen(ip=attacker, api="iam:AttachUserPolicy")
    scene.threat(42, "wiz", planted, HIGH, "admin-policy-attached", title, attached, (Tie("actor", user),), attack=("T1098",))
    again = _key(scene, planted, "AKIA")
    rule, title = "Discovery:S3/AnomalousBehavior", f"{name} listed buckets in an unusual way."
    ties = (Tie("owns_key", planted), Tie("actor", planted))
    scene.threat(95, "guardduty", again, LOW, rule, title, seen(ip=attacker, api="s3:ListBuckets"), ties)


def build_role_abused(scene: Scene) -> None:
    company = scene.company
    runner = scene.cast.take(AssetKind.INSTANCE, fits=lambda one: company.home(one).name == "tidewater-tools")
    role = scene.cast.also(company.tied(runner, "acts_as"))
    name = scene.rng.choice(("metrics-shipper", "log-rotate", "edge-warmup"))
    arn = f"arn:aws:lambda:{role.region}:{role.account}:function:{name}"
    planted = Asset(AssetKind.FUNCTION, "aws", role.account, role.region, Outside(name), (arn,))
    title = "CI runner role with iam:PassRole and lambda:* on all resources"
    scene.risk("wiz", role, HIGH, "wc-id-733", title, privileged=True)
    scene.risk("prisma", role, MEDIUM, "iam-passrole-star", "AWS IAM role can pass any role to a function", Kind.IDENTITY)
    title = "Unexpected process reads the environment of a build job"
    process = seen(process="python3 -c 'import os;print(os.environ)'")
    scene.threat(0, "falco", runner, MEDIUM, "Read environment variable from /proc files", title, process)
    _planted(scene, role, planted)


def _planted(scene: Scene, role: Asset, planted: Asset) -> None:
    attacker, home = f"192.0.2.{scene.rng.randrange(191, 200)}", f"cdn-{scene.rng.randrange(100, 999)}.example"
    made = seen(ip=attacker, api="lambda:CreateFunction20150331", user_agent="python-requests/2.31")
    by = (Tie("actor", role),)
    rule, title = (
        "PrivilegeEscalation:IAMUser/AnomalousBehavior",
        f"{role.name} called PassRole and CreateFunction in an unusual way.",
    )
    scene.copied(scene.threat(25, "guardduty", role, MEDIUM, rule, title, made, (Tie("touches", planted),), attack=("T1648",)))
    title = f"New Lambda function {planted.name} created by {role.name}"
    scene.threat(27, "lacework", role, LOW, "NewLambdaFunction", title, made, (Tie("touches", planted),))
    title = f"Function {planted.name} created by a build role outside its pipeline"
    scene.threat(30, "wiz", planted, MEDIUM, "function-created-by-ci", title, made, by, attack=("T1648",))
    rule, title = (
        "Backdoor:Lambda/C&CActivity.B",
        f"Lambda function {planted.name} is communicating with a command and control server.",
    )
    scene.copied(scene.threat(47, "guardduty", planted, HIGH, rule, title, seen(ip="192.0.2.201"), attack=("T1071",)))
    title = "Function calls a domain registered this week"
    scene.threat(66, "wiz", planted, HIGH, "function-beaconing", title, seen(domain=home), text=hostile.ORDERS[3])
    title = f"New external server {home} reached from {planted.name}"
    scene.threat(71, "lacework", planted, MEDIUM, "NewExternalServerDns", title, seen(domain=home))
