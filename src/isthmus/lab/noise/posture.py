"""Posture noise: what scans say every day of every company. Mostly low and medium, some of it high."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from isthmus.lab.scenes import Scene
from isthmus.model.assets import AssetKind
from isthmus.model.findings import Control, Kind
from isthmus.model.severity import Severity, Status

_SEVERITIES = {
    "I": Severity.INFORMATIONAL,
    "L": Severity.LOW,
    "M": Severity.MEDIUM,
    "H": Severity.HIGH,
    "C": Severity.CRITICAL,
}
_KINDS = {"-": Kind.MISCONFIGURATION, "identity": Kind.IDENTITY, "data": Kind.DATA, "secret": Kind.SECRET}
_RULES = """
securityhub aws instance - M EC2.17 EC2 instances should not use multiple ENIs
securityhub aws instance - M SSM.1 EC2 instances should be managed by AWS Systems Manager
securityhub aws instance - M SSM.3 EC2 instances should have an association compliance status of COMPLIANT
securityhub aws bucket - M S3.5 S3 general purpose buckets should require requests to use SSL
securityhub aws bucket - M S3.9 S3 general purpose buckets should have server access logging enabled
securityhub aws bucket - L S3.13 S3 general purpose buckets should have lifecycle configurations
securityhub aws user - L IAM.2 IAM users should not have IAM policies attached
securityhub aws user - M IAM.5 MFA should be enabled for all IAM users that have a console password
securityhub aws access_key - M IAM.3 IAM users' access keys should be rotated every 90 days or less
securityhub aws database - M RDS.3 RDS DB instances should have encryption at-rest enabled
securityhub aws database - L RDS.8 RDS DB instances should have deletion protection enabled
securityhub aws function - M Lambda.2 Lambda functions should use supported runtimes
securityhub aws security_group - H EC2.2 VPC default security groups should not allow inbound or outbound traffic
securityhub aws security_group - H EC2.19 Security groups should not allow unrestricted access to ports with high risk
securityhub aws bucket data L SensitiveData:S3Object/CustomIdentifier The S3 object contains an internal order number
wiz aws bucket - L wc-id-301 S3 bucket without MFA delete
wiz aws bucket - M wc-id-302 S3 bucket should only accept TLS requests
wiz aws instance - M wc-id-310 EC2 instance with IMDSv1 enabled
wiz aws instance - L wc-id-311 EC2 instance without detailed monitoring
wiz aws role - M wc-id-320 IAM role not used for 90 days
wiz aws role - H wc-id-321 IAM role with excessive access to S3
wiz aws database - M wc-id-330 RDS instance without multi-AZ
wiz aws pod - M wc-id-340 Container allows privilege escalation
wiz aws pod - L wc-id-341 Pod without CPU limits
wiz azure instance - M wc-id-350 VM disk not encrypted with customer-managed key
wiz gcp bucket - M wc-id-360 Bucket without uniform access
wiz azure bucket - M wc-id-351 Storage account allows shared key access
prisma aws security_group - M aws-sg-icmp AWS Security Group overly permissive to all ICMP traffic
prisma aws security_group - H aws-sg-ssh AWS Security Group allows all IPv4 traffic on SSH port (22)
prisma aws bucket - L aws-s3-versioning AWS S3 Object Versioning is disabled
prisma aws bucket - I aws-s3-logging AWS Access logging not enabled on S3 buckets
prisma aws user identity M aws-iam-inactive AWS IAM user inactive for more than 30 days
prisma aws role identity H aws-iam-role-star AWS IAM role with overly permissive policy
prisma aws function - L aws-lambda-xray AWS Lambda function with tracing disabled
orca aws instance - M aws_ec2_unused_instance Instance was stopped for more than 30 days
orca aws instance - L aws_ec2_no_termination_protection Instance has no termination protection
orca aws bucket - L aws_s3_no_object_lock Bucket has no object lock
orca aws bucket data M s3_bucket_contains_emails Bucket may contain email addresses
orca aws role identity M aws_role_unused_permissions Role has permissions it did not use for 90 days
orca aws instance secret H ssh_private_key_on_disk Private SSH key found on disk
orca aws database - H rds_no_backup Database without automated backup
lacework aws bucket - M lacework-global-50 Ensure all S3 buckets employ encryption at rest
lacework aws bucket - L lacework-global-97 Ensure S3 bucket access logging is enabled
lacework aws user - H lacework-global-39 Ensure MFA is enabled for all IAM users with console password
lacework aws security_group - H lacework-global-68 Ensure no security group allows ingress from 0.0.0.0/0 to port 22
lacework aws instance - L lacework-global-89 Ensure EC2 instance does not have a public IP address
defender azure instance - L 4da35fc9-c9e7-4960-aec9-797fe7d9051d Vulnerabilities in security configuration should be remediated
defender azure instance - H 4ab6e3c5-74dd-8b35-9ab9-f61b30875b27 System updates should be installed on your machines
defender azure bucket - M cdc78c07-02b0-4af0-1cb2-cb7c672a8b0a Storage account should use a private link connection
defender azure bucket - L 1c5de8e1-f68d-6a17-e0d2-ec259c42768c Secure transfer to storage accounts should be enabled
scc gcp instance - M COMPUTE_PROJECT_WIDE_SSH_KEYS_ALLOWED Project-wide SSH keys are allowed
scc gcp instance - H PUBLIC_IP_ADDRESS Instance has a public IP address
scc gcp bucket - L BUCKET_LOGGING_DISABLED Bucket logging is disabled
scc gcp bucket - M BUCKET_POLICY_ONLY_DISABLED Uniform bucket-level access is disabled
scc gcp service_account - L USER_MANAGED_SERVICE_ACCOUNT_KEY A user manages a service account key
ocsf aws bucket - M s3_bucket_default_encryption Check if S3 buckets have default encryption
ocsf aws bucket - M s3_bucket_secure_transport_policy Check if S3 buckets have a secure transport policy
ocsf aws bucket - L s3_bucket_object_versioning Check if S3 buckets have object versioning enabled
ocsf aws instance - H ec2_instance_imdsv2_enabled Check if EC2 instance metadata service v2 is enforced
ocsf aws instance - L ec2_instance_detailed_monitoring_enabled Check if EC2 instances have detailed monitoring
ocsf aws user - H iam_user_mfa_enabled_console_access Ensure MFA is enabled for all users with a console password
ocsf aws user - M iam_rotate_access_key_90_days Ensure access keys are rotated every 90 days or less
ocsf aws role - C iam_role_administratoraccess_policy Ensure roles do not have AdministratorAccess attached
ocsf aws database - M rds_instance_multi_az Check if RDS instances have multi-AZ enabled
ocsf aws function - L awslambda_function_inside_vpc Ensure Lambda functions run inside a VPC
ocsf aws security_group - H ec2_securitygroup_allow_ingress_to_port_22 Ensure no security groups allow ingress to SSH port 22
"""
_FRAMEWORKS = (
    Control("SOC 2", "CC6.1"),
    Control("CIS AWS Foundations Benchmark v3.0.0", "2.1.1"),
    Control("NIST SP 800-53 Rev. 5", "AC-3"),
    Control("PCI DSS v4.0", "8.3.6"),
    Control("ISO 27001:2022", "A.8.9"),
)


@dataclass(frozen=True, slots=True)
class Rule:
    """A check a platform runs over every asset of a kind."""

    vendor: str
    provider: str
    asset: AssetKind
    kind: Kind
    severity: Severity
    name: str
    title: str


def _rule(line: str) -> Rule:
    vendor, provider, asset, kind, severity, name, title = line.split(" ", 6)
    return Rule(vendor, provider, AssetKind(asset), _KINDS[kind], _SEVERITIES[severity], name, title)


RULES = tuple(_rule(line) for line in _RULES.split("\n") if line)
_ADMIN = "iam_role_administratoraccess_policy"


def posture(scene: Scene, count: int) -> None:
    """`count` posture findings; each rule of an asset at most once. Prowler also says what passed."""
    made: set[tuple[str, str]] = set()
    while len(made) < count:
        rule = scene.rng.choice(RULES)
        asset = scene.rng.choice(scene.company.of(rule.asset, rule.provider))
        if (rule.name, asset.ids[0]) in made:
            continue
        made.add((rule.name, asset.ids[0]))
        controls = tuple(scene.rng.sample(_FRAMEWORKS, scene.rng.randrange(3)))
        status = _status(scene, rule, asset.ids[0] in scene.company.privileged)
        more: dict[str, Any] = {"kind": rule.kind, "controls": controls, "status": status}
        scene.risk(rule.vendor, asset, rule.severity, rule.name, rule.title, **more)


def _status(scene: Scene, rule: Rule, privileged: bool) -> Status:
    """Six of ten Prowler rows passed; of the others one in eight was closed or dismissed by somebody."""
    chance = scene.rng.random()
    if rule.vendor == "ocsf" and (chance < 0.6 or (rule.name == _ADMIN and not privileged)):
        return Status.RESOLVED
    if chance > 0.9:
        return Status.RESOLVED if chance > 0.95 else Status.SUPPRESSED
    return Status.IN_PROGRESS if chance > 0.85 else Status.NEW
