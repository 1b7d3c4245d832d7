"""Prisma Compute's names of attack techniques, and ATT&CK's ids of those that ATT&CK has.

Compute's matrix mixes ATT&CK with techniques of its own (native and foreign binary execution, privileged container,
kubelet APIs) and with whole tactics (exfiltration, command and control): those have no id and get none.
"""

from __future__ import annotations

from collections.abc import Iterable

from isthmus.contracts.reading import techniques

_IDS = {
    "exploitationForPrivilegeEscalation": "T1068",
    "exploitPublicFacingApplication": "T1190",
    "networkServiceScanning": "T1046",
    "endpointDenialOfService": "T1499",
    "systemNetworkConfigurationDiscovery": "T1016",
    "unsecuredCredentials": "T1552",
    "credentialDumping": "T1003",
    "systemInformationDiscovery": "T1082",
    "systemNetworkConnectionDiscovery": "T1049",
    "systemUserDiscovery": "T1033",
    "accountDiscovery": "T1087",
    "cloudInstanceMetadataAPI": "T1552.005",
    "softwareDeploymentTools": "T1072",
    "ingressToolTransfer": "T1105",
    "lateralToolTransfer": "T1570",
    "resourceHijacking": "T1496",
    "manInTheMiddle": "T1557",
    "createAccount": "T1136",
    "accountManipulation": "T1098",
    "abuseElevationControlMechanisms": "T1548",
    "supplyChainCompromise": "T1195",
    "obfuscatedFiles": "T1027",
    "hijackExecutionFlow": "T1574",
    "impairDefences": "T1562",
    "scheduledTaskJob": "T1053",
    "exploitationOfRemoteServices": "T1210",
    "eventTriggeredExecution": "T1546",
    "accountAccessRemoval": "T1531",
    "execIntoContainer": "T1609",
    "softwareDiscovery": "T1518",
    "createContainer": "T1610",
    "kubernetesSecrets": "T1552.007",
    "fileAndDirectoryDiscovery": "T1083",
    "masquerading": "T1036",
    "webShell": "T1505.003",
    "compileAfterDelivery": "T1027.004",
}
NAMES = {technique: name for name, technique in _IDS.items()}
"""Compute's name of an ATT&CK technique, for writing."""


def attack_of(names: Iterable[str]) -> tuple[str, ...]:
    """ATT&CK ids behind Compute's technique names, sorted, each once."""
    return techniques(*(_IDS.get(name, name) for name in names))
