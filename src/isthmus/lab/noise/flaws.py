"""Vulnerability noise: what scanners find on images and hosts, some of it critical by CVSS.

None of these is in CISA's catalogue of exploited vulnerabilities, and the critical ones stand on nothing that faces
the internet.
"""

from __future__ import annotations

from isthmus.lab.scenes import Scene
from isthmus.model.assets import Asset, AssetKind
from isthmus.model.findings import Vulnerability
from isthmus.model.severity import severity_of_cvss

_FLAWS = """
CVE-2022-37434 zlib1g 1.2.11 1.2.11-2.1 9.8
CVE-2023-45853 zlib1g 1.2.13 - 9.8
CVE-2023-38545 curl 7.88.1 8.4.0 9.8
CVE-2022-32221 curl 7.74.0 7.86.0 9.8
CVE-2023-23914 curl 7.85.0 7.88.0 9.1
CVE-2021-33574 libc6 2.31 2.31-13 9.8
CVE-2022-23218 libc6 2.31 2.35 9.8
CVE-2019-8457 libdb5.3 5.3.28 - 9.8
CVE-2022-1586 libpcre2 10.36 10.40 9.1
CVE-2022-29155 libldap 2.4.57 2.5.12 9.8
CVE-2022-3515 libksba 1.5.0 1.6.2 9.8
CVE-2022-47629 libksba 1.5.0 1.6.3 9.8
CVE-2021-3711 openssl 1.1.1k 1.1.1l 9.8
CVE-2022-25235 libexpat1 2.2.10 2.4.5 9.8
CVE-2022-25315 libexpat1 2.2.10 2.4.5 9.8
CVE-2022-22822 libexpat1 2.2.10 2.4.3 9.8
CVE-2024-45491 libexpat1 2.5.0 2.6.3 9.8
CVE-2022-48174 busybox 1.35.0 - 9.8
CVE-2022-48565 python3 3.9.2 3.9.3 9.8
CVE-2022-42889 commons-text 1.9 1.10.0 9.8
CVE-2016-1000027 spring-web 5.3.20 6.0.0 9.8
CVE-2023-34034 spring-security-config 5.7.8 5.7.10 9.8
CVE-2021-46848 libtasn1 4.16.0 4.19.0 9.1
CVE-2022-1271 gzip 1.10 1.12 8.8
CVE-2021-45960 libexpat1 2.2.10 2.4.3 8.8
CVE-2022-40674 libexpat1 2.4.8 2.4.9 8.1
CVE-2024-6387 openssh-server 9.2p1 9.2p1-2+deb12u3 8.1
CVE-2023-31484 perl 5.36.0 - 8.1
CVE-2022-1304 e2fsprogs 1.46.2 1.46.6 7.8
CVE-2023-29491 ncurses 6.4 6.4-4 7.8
CVE-2023-47038 perl 5.36.0 5.36.0-7 7.8
CVE-2023-0286 openssl 1.1.1n 1.1.1t 7.4
CVE-2022-43680 libexpat1 2.4.8 2.5.0 7.5
CVE-2023-0464 openssl 1.1.1n 1.1.1t 7.5
CVE-2022-4899 libzstd1 1.4.8 - 7.5
CVE-2021-33560 libgcrypt20 1.8.7 - 7.5
CVE-2024-28757 libexpat1 2.5.0 2.6.2 7.5
CVE-2024-0553 libgnutls30 3.7.9 3.7.9-2 7.5
CVE-2023-52425 libexpat1 2.5.0 2.6.0 7.5
CVE-2023-7104 libsqlite3 3.40.1 3.40.1-2 7.3
CVE-2023-51767 openssh-client 9.2p1 - 7.0
CVE-2023-36054 libkrb5 1.20.1 1.20.1-2 6.5
CVE-2023-2650 openssl 1.1.1n 1.1.1u 6.5
CVE-2016-2781 coreutils 8.32 - 6.5
CVE-2023-48795 openssh-client 9.2p1 9.6p1 5.9
CVE-2023-5981 libgnutls30 3.7.9 3.7.9-2 5.9
CVE-2022-0563 util-linux 2.36 - 5.5
CVE-2023-4641 passwd 4.13 - 5.5
CVE-2023-0465 openssl 1.1.1n 1.1.1t 5.3
"""
_ROWS = tuple(line.split() for line in _FLAWS.split("\n") if line)
_SCANNERS = {
    ("aws", AssetKind.IMAGE): ("wiz", "prisma", "lacework", "securityhub"),
    ("aws", AssetKind.INSTANCE): ("wiz", "securityhub", "lacework", "prisma", "orca", "ocsf"),
    ("azure", AssetKind.INSTANCE): ("defender", "wiz"),
    ("gcp", AssetKind.INSTANCE): ("scc", "wiz"),
}
_LEFT_ON_THE_EDGE = 9.0
"""What faces the internet is patched first: nothing this high is left there."""


def flaws(scene: Scene, count: int) -> None:
    """About `count` vulnerabilities on hosts and images."""
    wheres = list(_SCANNERS)
    for _ in range(count):
        provider, kind = scene.rng.choices(wheres, weights=(5, 5, 2, 2))[0]
        asset = scene.rng.choice(scene.company.of(kind, provider))
        _flaw(scene, scene.rng.choice(_SCANNERS[provider, kind]), asset)


def _flaw(scene: Scene, vendor: str, asset: Asset) -> None:
    edge = asset.ids[0] in scene.company.facing
    cve, package, version, fixed, score = scene.rng.choice(_ROWS)
    if edge and float(score) >= _LEFT_ON_THE_EDGE:
        return
    epss = round(scene.rng.random() ** 6 * 0.2, 5)
    one = Vulnerability(cve, package, version, "" if fixed == "-" else fixed, float(score), epss=epss)
    scene.flaw(vendor, asset, severity_of_cvss(float(score)), one)
