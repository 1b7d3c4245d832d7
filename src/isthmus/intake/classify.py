"""What sort of problem a claim is about, from the vendor's rule name and title.

These labels explain, merge the same problem told by two platforms, and pick a remedy. A claim gets every label that
fits. Words can add a label, and by pushing others apart or past the first 400 characters take one away; that costs a
remedy's text, or that a milder telling joins a graver one; tier, score, verdict, priority and steps never read labels.
"""

from __future__ import annotations

import re
from functools import lru_cache

from isthmus.model.assets import AssetKind
from isthmus.model.findings import Kind
from isthmus.model.problems import Problem

_OPEN = r"(?:public|internet|world|anyone|anonymous|everyone|0 0 0 0|unrestricted|exposed|open)"
_STORE = r"(?:bucket|s3|blob|storage|container)s?"
_DATA_STORE = r"(?:database|rds|sql|dynamo|redshift|snapshot)s?"
_WORKLOAD = r"(?:instance|vm|virtual machine|host|server|container|workload|ec2)s?"
_SECRET = r"(?:key|secret|credential|token|password)s?"
_LOG = r"(?:cloud ?trail|logging|guard ?duty|config|flow log|audit log|defender)"
_PATTERNS: dict[Problem, tuple[str, ...]] = {
    Problem.CRYPTOMINING: (
        r"crypto ?(?:currency|min(?:er|ing|e))",
        r"coin ?min(?:er|ing)|bitcoin|xmrig|miner\b",
        r"resource hijack",
    ),
    Problem.MALWARE: (
        r"malware|trojan|virus|eicar|rootkit|backdoor",
        r"malicious (?:file|code|binary)",
        r"(?:suspicious|altered) binary",
    ),
    Problem.RANSOMWARE: (r"ransom", r"mass (?:deletion|encryption)", r"data destruction", r"encrypted for impact"),
    Problem.REVERSE_SHELL: (
        r"(?:reverse|bind|web) ?shell|netcat",
        r"(?:interactive|terminal) shell|shell (?:spawned|in container)",
    ),
    Problem.CONTAINER_ESCAPE: (r"(?:container|host) (?:escape|breakout)", r"escape to host|release agent|docker sock"),
    Problem.CREDENTIAL_THEFT: (
        r"credential (?:exfiltration|access|theft|dump)|instance ?credential|stolen credential|steal",
        r"compromised ?(?:aws ?)?credential|outside ?aws",
        r"metadata (?:service|api|access|credential)|imds|cloud ?instance ?metadata",
    ),
    Problem.LATERAL_MOVEMENT: (r"lateral ?movement", r"ssh between|pivot(?:ing)?\b", r"internal (?:scan|movement)"),
    Problem.PRIVILEGE_ESCALATION: (r"privilege ?escalation|escalat(?:e|ion)", r"assume ?role chain|policy attached to itself"),
    Problem.DATA_EXFILTRATION: (
        r"exfiltrat|data theft",
        r"(?:mass|bulk) (?:download|read)",
        r"unusual (?:data|s3) (?:transfer|access|volume)",
    ),
    Problem.COMMAND_AND_CONTROL: (
        r"\bc ?(?:and|&|2) ?c\b|\bc2\b|command and control",
        r"beacon|tor (?:client|relay)|dns tunnel|dga\b",
    ),
    Problem.PERSISTENCE: (
        r"persistence|create ?access ?key|cron\b",
        r"new (?:admin )?user created|backdoor(?:ed)? (?:user|account|role)",
    ),
    Problem.DEFENSE_EVASION: (
        rf"{_LOG} (?:was |has been )?(?:disabled|stopped|deleted|turned off)",
        r"stop ?logging|delete ?trail|defense ?evasion|cloudtrail ?logging ?disabled",
    ),
    Problem.ANOMALOUS_ACCESS: (
        r"anomal|unusual|impossible travel|unauthori[sz]ed",
        r"new (?:region|country|geo)|console ?login|root (?:credential|account) us",
        r"(?:malicious|tor) ?ip ?caller",
    ),
    Problem.BRUTE_FORCE: (r"brute ?force|password spray|failed log(?:in|on)s?",),
    Problem.RECONNAISSANCE: (r"\brecon|port ?(?:scan|probe)|discovery|enumerat|being probed",),
    Problem.WEB_ATTACK: (
        r"sql injection|\bsqli\b|\blfi\b|\bxss\b|\bcmdi\b",
        r"local file inclusion|command injection|path traversal",
    ),
    Problem.LEAKED_KEY: (
        rf"(?:leaked|exposed|hard ?coded|clear ?text|plain ?text|committed|published) (?:\w+ ){{0,3}}{_SECRET}",
        rf"{_SECRET} (?:\w+ ){{0,3}}(?:leaked|exposed|found|in (?:code|repository|environment))",
        r"secret detected",
    ),
    Problem.PUBLIC_BUCKET: (
        rf"{_STORE} (?:\w+ ){{0,6}}{_OPEN}",
        rf"{_OPEN} (?:\w+ ){{0,5}}(?:bucket|s3|blob|storage)",
        r"block public access|s3 bucket (?:acl|policy|level) public|\bs3 (?:1|2|3|8)\b",
    ),
    Problem.PUBLIC_DATABASE: (rf"{_DATA_STORE} (?:\w+ ){{0,6}}{_OPEN}", rf"{_OPEN} (?:\w+ ){{0,4}}{_DATA_STORE}"),
    Problem.PERMISSIVE_IDENTITY: (
        r"(?:over ?(?:ly )?|excessive(?:ly)? |too )(?:privileged?|permissi\w+)|high privileges?",
        r"admin(?:istrator|istrative)? (?:\w+ ){0,2}(?:access|privileges?|permissions?|policy)",
        r"full access|wildcard|star permissions?|least privilege|\biam 1\b",
        r"privileged (?:role|identity|service account)",
    ),
    Problem.OPEN_SECURITY_GROUP: (
        rf"(?:security ?group|firewall|\bnsg\b|ingress|network acl)s?\b(?:.*)(?:{_OPEN}|allow)",
        rf"(?:ssh|rdp|port \d+|3389|port 22)(?:.*){_OPEN}",
        rf"{_OPEN}(?:.*)(?:ssh|rdp|port \d+|ingress)",
        r"\bec2 (?:13|14|18|19)\b",
    ),
    Problem.EXPOSED_INSTANCE: (rf"{_WORKLOAD} (?:\w+ ){{0,5}}{_OPEN}", rf"{_OPEN} (?:\w+ ){{0,3}}{_WORKLOAD}"),
    Problem.NO_ENCRYPTION: (
        r"(?:not|un|without|missing|lacks?|disabled|ensure) ?(?:\w+ ){0,4}encrypt",
        r"encryption (?:\w+ ){0,4}(?:disabled|off|missing)|tls|\bkms\b",
    ),
    Problem.NO_LOGGING: (
        r"(?:logging|log file|audit log|flow log|cloudtrail|monitoring) (?:\w+ ){0,5}(?:not|disabled|enabled|missing)",
        r"without logging|versioning",
    ),
    Problem.NO_MFA: (r"\bmfa\b|multi ?factor|2fa",),
    Problem.STALE_CREDENTIAL: (
        r"(?:unused|inactive|stale|old|not rotated|rotat\w+) (?:\w+ ){0,4}(?:key|user|credential|role|password)",
        r"(?:key|credential)s? (?:\w+ ){0,4}rotat",
    ),
}
_COMPILED = tuple((problem, re.compile("|".join(patterns))) for problem, patterns in _PATTERNS.items())
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NOT_WORD = re.compile(r"[^a-z0-9]+")

_ORDER = {problem: position for position, problem in enumerate(Problem)}
_ABOUT_THREATS = frozenset(list(Problem)[: list(Problem).index(Problem.WEB_ATTACK) + 1])
_BY_TECHNIQUE = {
    "T1496": Problem.CRYPTOMINING, "T1486": Problem.RANSOMWARE, "T1485": Problem.RANSOMWARE, "T1490": Problem.RANSOMWARE,
    "T1611": Problem.CONTAINER_ESCAPE, "T1552": Problem.CREDENTIAL_THEFT, "T1528": Problem.CREDENTIAL_THEFT,
    "T1021": Problem.LATERAL_MOVEMENT, "T1550": Problem.LATERAL_MOVEMENT,
    "T1098": Problem.PERSISTENCE, "T1136": Problem.PERSISTENCE,
    "T1048": Problem.DATA_EXFILTRATION, "T1537": Problem.DATA_EXFILTRATION, "T1530": Problem.DATA_EXFILTRATION,
    "T1567": Problem.DATA_EXFILTRATION, "T1562": Problem.DEFENSE_EVASION, "T1110": Problem.BRUTE_FORCE,
    "T1595": Problem.RECONNAISSANCE, "T1046": Problem.RECONNAISSANCE, "T1580": Problem.RECONNAISSANCE,
    "T1071": Problem.COMMAND_AND_CONTROL, "T1068": Problem.PRIVILEGE_ESCALATION,
}  # fmt: skip
_NEEDS_KIND = {
    Problem.PUBLIC_BUCKET: {AssetKind.BUCKET, AssetKind.OTHER, AssetKind.ACCOUNT},
    Problem.PUBLIC_DATABASE: {AssetKind.DATABASE, AssetKind.VOLUME, AssetKind.OTHER},
    Problem.EXPOSED_INSTANCE: {AssetKind.INSTANCE, AssetKind.CONTAINER, AssetKind.POD, AssetKind.FUNCTION, AssetKind.OTHER},
}


def plain(text: str) -> str:
    """Lower-case words with single spaces; `UnauthorizedAccess:EC2/SSHBruteForce` becomes words too."""
    return _NOT_WORD.sub(" ", _CAMEL.sub(" ", text).lower()).strip()


@lru_cache(maxsize=65_536)
def problems_of(kind: Kind, rule: str, title: str, asset: AssetKind, attack: tuple[str, ...]) -> tuple[Problem, ...]:
    """Every problem the rule name, the title and the techniques speak of, in the order of `Problem`."""
    if kind is Kind.VULNERABILITY:
        return (Problem.VULNERABILITY,)
    found = set(_named(rule, title))
    if kind is Kind.THREAT:
        found = {one for one in found if one in _ABOUT_THREATS or one is Problem.LEAKED_KEY}
        found |= {_BY_TECHNIQUE[root] for one in attack if (root := one.split(".")[0]) in _BY_TECHNIQUE}
    else:
        found -= _ABOUT_THREATS
    if kind is Kind.SECRET:
        found.add(Problem.LEAKED_KEY)
    return tuple(sorted((one for one in found if asset in _NEEDS_KIND.get(one, {asset})), key=_ORDER.__getitem__))


def _named(rule: str, title: str) -> tuple[Problem, ...]:
    said = plain(f"{rule} {title}"[:400])
    return tuple(problem for problem, pattern in _COMPILED if pattern.search(said))
