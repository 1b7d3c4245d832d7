"""Things in somebody's estate, and the names every platform has for them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from isthmus.model.outside import NOTHING, Outside


class AssetKind(StrEnum):
    """What a thing is, whatever its cloud calls it."""

    INSTANCE = "instance"
    CONTAINER = "container"
    POD = "pod"
    IMAGE = "image"
    FUNCTION = "function"
    BUCKET = "bucket"
    DATABASE = "database"
    VOLUME = "volume"
    ROLE = "role"
    USER = "user"
    ACCESS_KEY = "access_key"
    SERVICE_ACCOUNT = "service_account"
    SECURITY_GROUP = "security_group"
    LOAD_BALANCER = "load_balancer"
    NETWORK = "network"
    CLUSTER = "cluster"
    ACCOUNT = "account"
    SECRET = "secret"
    REPOSITORY = "repository"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Asset:
    """One thing, by every name a platform gave it.

    `ids` are what the platform wrote (ARN, Azure or GCP id, its own id, image digest), strongest first;
    `id` and `aliases` are ours and stay empty until `graph.identity` has read the ids.
    `account` is the AWS account, Azure subscription or GCP project. `name` is display text only.
    """

    kind: AssetKind
    provider: str = ""
    account: str = ""
    region: str = ""
    name: Outside = NOTHING
    ids: tuple[str, ...] = ()
    tags: tuple[tuple[str, Outside], ...] = ()
    id: str = ""
    aliases: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        """What to call it in a line of text: its name, or the last part of its id."""
        return str(self.name) or self.id.replace(":", "/").rstrip("/").rsplit("/", 1)[-1]


_KINDS: dict[AssetKind, str] = {
    AssetKind.INSTANCE: (
        "awsec2 awsec2instance awsinstance azurecomputevm azurevirtualmachine compute "
        "computegoogleapiscominstance computeinstance ec2 ec2instance gceinstance gcpvminstance "
        "googlecomputeinstance host instance instances machine microsoftclassiccomputevirtualmachines "
        "microsoftcomputevirtualmachines microsoftcomputevirtualmachinescalesets "
        "microsofthybridcomputemachines server virtualmachine virtualmachines vm vminstance"
    ),
    AssetKind.CONTAINER: "awsecstask container containers ecscontainer ecstask runningcontainer",
    AssetKind.POD: (
        "daemonset daemonsets deployment deployments k8sdeployment k8spod kubernetesdeployment kubernetespod "
        "kubernetesworkload pod pods statefulset statefulsets workload"
    ),
    AssetKind.IMAGE: (
        "ami awsec2ami awsecrcontainerimage awsecrimage containerimage dockerimage ec2image image registryimage vmimage"
    ),
    AssetKind.FUNCTION: (
        "awslambda awslambdafunction azurefunction cloudfunction cloudfunctionsgoogleapiscomcloudfunction "
        "cloudfunctionsgoogleapiscomfunction cloudrun cloudrunservice function functionapp "
        "googlecloudfunctionscloudfunction googlecloudrunservice lambda lambdafunction microsoftwebsites "
        "rungoogleapiscomservice serverless"
    ),
    AssetKind.BUCKET: (
        "awss3 awss3bucket azurestorageaccount blobcontainer bucket gcpbucket gcpstoragebucket gcsbucket "
        "googlecloudstoragebucket googlestoragebucket microsoftstoragestorageaccounts objectstorage s3 "
        "s3bucket s3buckets storage storageaccount storageaccounts storagebucket storagegoogleapiscombucket"
    ),
    AssetKind.DATABASE: (
        "awsdocdbcluster awsdynamodbtable awselasticsearchdomain awsneptunedbcluster "
        "awsopensearchservicedomain awsrdscluster awsrdsdb awsrdsdbcluster awsrdsdbinstance "
        "awsrdsdbinstancesnapshot awsrdsinstance awsredshiftcluster bigquerygoogleapiscomdataset "
        "bigquerygoogleapiscomtable cloudsqlgoogleapiscominstance cloudsqlinstance database dbinstance "
        "dbserver dynamodb googlecloudbigquerydataset googlecloudbigquerytable googlecloudsqlinstance "
        "microsoftdbformysqlflexibleservers microsoftdbforpostgresqlflexibleservers "
        "microsoftdocumentdbdatabaseaccounts microsoftsqlmanagedinstances microsoftsqlservers "
        "microsoftsqlserversdatabases rds rdsdb rdsdbinstance rdsinstance redshift "
        "sqladmingoogleapiscominstance sqlserver"
    ),
    AssetKind.VOLUME: (
        "awsec2ebssnapshot awsec2ebsvolume awsec2snapshot awsec2volume computegoogleapiscomdisk disk ebs "
        "ebsvolume googlecomputedisk microsoftcomputedisks snapshot volume"
    ),
    AssetKind.ROLE: (
        "accessrole accessrolepolicy assumedrole awsiaminstanceprofile awsiampolicy awsiamrole awsrole "
        "iaminstanceprofile iampolicy iamrole instanceprofile policy role"
    ),
    AssetKind.USER: "awsiamuser awsrootuser awsuser ctuser federateduser iamuser identity root user useraccount",
    AssetKind.ACCESS_KEY: (
        "accesskey accesskeyid awsiamaccesskey credential googleiamserviceaccountkey iamaccesskey "
        "iamgoogleapiscomserviceaccountkey secretkey"
    ),
    AssetKind.SERVICE_ACCOUNT: (
        "gcpiamserviceaccount gcpserviceaccount googleiamserviceaccount iamgoogleapiscomserviceaccount "
        "iamserviceaccount k8sserviceaccount kubernetesserviceaccount managedidentity "
        "microsoftmanagedidentityuserassignedidentities serviceaccount serviceprincipal"
    ),
    AssetKind.SECURITY_GROUP: (
        "awsec2securitygroup computegoogleapiscomfirewall ec2securitygroup firewall firewallrule gcpfirewall "
        "googlecomputefirewall microsoftnetworknetworksecuritygroups networksecuritygroup nsg securitygroup"
    ),
    AssetKind.LOAD_BALANCER: (
        "alb awsec2elb awsec2elbv2 awselasticloadbalancingloadbalancer awselbloadbalancer "
        "awselbv2loadbalancer computegoogleapiscomforwardingrule elb googlecomputeforwardingrule loadbalancer "
        "microsoftnetworkapplicationgateways microsoftnetworkloadbalancers"
    ),
    AssetKind.NETWORK: (
        "awsec2subnet awsec2vpc computegoogleapiscomnetwork computegoogleapiscomsubnetwork ec2vpc "
        "googlecomputenetwork googlecomputesubnetwork microsoftnetworkvirtualnetworks network subnet "
        "virtualnetwork virtualnetworks vpc"
    ),
    AssetKind.CLUSTER: (
        "akscluster awsecscluster awsekscluster cluster containergoogleapiscomcluster ecscluster ekscluster "
        "gcpgkecluster gkecluster googlecontainercluster k8scluster kubernetescluster "
        "microsoftcontainerservicemanagedclusters microsoftkubernetesconnectedclusters"
    ),
    AssetKind.ACCOUNT: (
        "account awsaccount awsaccounts cloudaccount cloudresourcemanagergoogleapiscomproject "
        "computegoogleapiscomproject googlecloudresourcemanagerproject googlecomputeproject "
        "microsoftsubscription project subscription"
    ),
    AssetKind.SECRET: (
        "awssecretsmanagersecret googlecloudsecretmanagersecret keyvault microsoftkeyvaultvaults secret "
        "secretmanagergoogleapiscomsecret secretsmanagersecret"
    ),
    AssetKind.REPOSITORY: "cisource coderepository githubrepository repo repository",
}
_KIND_OF = {word: kind for kind, words in _KINDS.items() for word in words.split()}


def asset_kind(*native: str) -> AssetKind:
    """The kind behind a platform's own type names, the first one known winning.

    Case, spaces and punctuation do not matter: `AWS S3 Bucket`, `AwsS3Bucket` and `aws_s3_bucket` are one word.
    """
    for name in native:
        kind = _KIND_OF.get("".join(c for c in name.lower() if c.isalnum()))
        if kind is not None:
            return kind
    return AssetKind.OTHER
