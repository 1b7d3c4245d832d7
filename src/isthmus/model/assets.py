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


_KINDS: dict[AssetKind, str] = {
    AssetKind.INSTANCE: (
        "instance vm virtualmachine virtualmachines ec2instance awsec2instance instances host machine awsec2 ec2 compute "
        "microsoftcomputevirtualmachines azurevirtualmachine computeinstance googlecomputeinstance computegoogleapiscominstance "
        "gcpvminstance gceinstance azurecomputevm vminstance awsinstance virtual_machine server "
        "microsofthybridcomputemachines microsoftcomputevirtualmachinescalesets microsoftclassiccomputevirtualmachines"
    ),
    AssetKind.CONTAINER: ("container containers ecscontainer runningcontainer awsecstask ecstask"),
    AssetKind.POD: (
        "pod k8spod kubernetespod deployment kubernetesdeployment k8sdeployment daemonset statefulset kubernetesworkload workload "
        "pods deployments daemonsets statefulsets"
    ),
    AssetKind.IMAGE: (
        "image containerimage awsecrcontainerimage vmimage registryimage dockerimage awsecrimage ami awsec2ami ec2image"
    ),
    AssetKind.FUNCTION: (
        "function serverless lambda lambdafunction awslambdafunction cloudfunction azurefunction functionapp awslambda "
        "microsoftwebsites cloudrun cloudrunservice cloudfunctionsgoogleapiscomfunction cloudfunctionsgoogleapiscomcloudfunction "
        "googlecloudfunctionscloudfunction rungoogleapiscomservice googlecloudrunservice"
    ),
    AssetKind.BUCKET: (
        "bucket s3bucket awss3bucket s3 storagebucket googlestoragebucket gcsbucket storageaccount microsoftstoragestorageaccounts "
        "blobcontainer storagegoogleapiscombucket storage azurestorageaccount gcpbucket awss3 s3buckets objectstorage "
        "googlecloudstoragebucket storageaccounts "
        "gcpstoragebucket"
    ),
    AssetKind.DATABASE: (
        "database dbserver rds rdsinstance awsrdsdbinstance awsrdsdbcluster dynamodb awsdynamodbtable sqlserver cloudsqlinstance "
        "awsrdsinstance dbinstance rdsdbinstance microsoftsqlservers sqladmingoogleapiscominstance redshift "
        "rdsdb googlecloudsqlinstance cloudsqlgoogleapiscominstance googlecloudbigquerydataset bigquerygoogleapiscomdataset "
        "googlecloudbigquerytable bigquerygoogleapiscomtable microsoftsqlserversdatabases microsoftdocumentdbdatabaseaccounts "
        "microsoftdbforpostgresqlflexibleservers microsoftdbformysqlflexibleservers microsoftsqlmanagedinstances "
        "awsredshiftcluster awsopensearchservicedomain awselasticsearchdomain awsneptunedbcluster awsdocdbcluster "
        "awsrdsdb awsrdscluster awsrdsdbinstancesnapshot"
    ),
    AssetKind.VOLUME: (
        "volume disk awsec2volume ebsvolume ebs snapshot googlecomputedisk computegoogleapiscomdisk microsoftcomputedisks "
        "awsec2snapshot "
        "awsec2ebsvolume awsec2ebssnapshot"
    ),
    AssetKind.ROLE: (
        "role iamrole awsiamrole accessrole assumedrole awsrole instanceprofile iampolicy awsiampolicy policy accessrolepolicy "
        "iaminstanceprofile awsiaminstanceprofile"
    ),
    AssetKind.USER: "user iamuser awsiamuser useraccount awsuser awsrootuser root identity ctuser federateduser",
    AssetKind.ACCESS_KEY: "accesskey awsiamaccesskey iamaccesskey accesskeyid credential secretkey googleiamserviceaccountkey iamgoogleapiscomserviceaccountkey",
    AssetKind.SERVICE_ACCOUNT: (
        "serviceaccount serviceprincipal iamserviceaccount k8sserviceaccount gcpserviceaccount managedidentity "
        "iamgoogleapiscomserviceaccount kubernetesserviceaccount googleiamserviceaccount "
        "microsoftmanagedidentityuserassignedidentities "
        "gcpiamserviceaccount"
    ),
    AssetKind.SECURITY_GROUP: (
        "securitygroup awsec2securitygroup ec2securitygroup networksecuritygroup microsoftnetworknetworksecuritygroups firewall "
        "computegoogleapiscomfirewall firewallrule nsg gcpfirewall googlecomputefirewall"
    ),
    AssetKind.LOAD_BALANCER: (
        "loadbalancer elb alb awselbv2loadbalancer awselbloadbalancer awsec2elb microsoftnetworkloadbalancers "
        "microsoftnetworkapplicationgateways googlecomputeforwardingrule computegoogleapiscomforwardingrule "
        "awsec2elbv2 awselasticloadbalancingloadbalancer"
    ),
    AssetKind.NETWORK: (
        "vpc subnet virtualnetwork network awsec2vpc awsec2subnet googlecomputenetwork computegoogleapiscomnetwork "
        "googlecomputesubnetwork computegoogleapiscomsubnetwork microsoftnetworkvirtualnetworks virtualnetworks "
        "ec2vpc"
    ),
    AssetKind.CLUSTER: (
        "cluster kubernetescluster ekscluster awsekscluster gkecluster akscluster k8scluster containergoogleapiscomcluster "
        "googlecontainercluster microsoftcontainerservicemanagedclusters microsoftkubernetesconnectedclusters "
        "awsecscluster ecscluster "
        "gcpgkecluster"
    ),
    AssetKind.ACCOUNT: (
        "account subscription project awsaccount microsoftsubscription cloudaccount cloudresourcemanagergoogleapiscomproject "
        "awsaccounts googlecloudresourcemanagerproject computegoogleapiscomproject googlecomputeproject"
    ),
    AssetKind.SECRET: (
        "secret secretsmanagersecret awssecretsmanagersecret keyvault microsoftkeyvaultvaults "
        "secretmanagergoogleapiscomsecret googlecloudsecretmanagersecret"
    ),
    AssetKind.REPOSITORY: "repository coderepository cisource repo githubrepository",
}
_KIND_OF = {word: kind for kind, words in _KINDS.items() for word in words.replace("_", "").split()}


def asset_kind(*native: str) -> AssetKind:
    """The kind behind a platform's own type names, the first one known winning.

    Case, spaces and punctuation do not matter: `AWS S3 Bucket`, `AwsS3Bucket` and `aws_s3_bucket` are one word.
    """
    for name in native:
        kind = _KIND_OF.get("".join(c for c in name.lower() if c.isalnum()))
        if kind is not None:
            return kind
    return AssetKind.OTHER
