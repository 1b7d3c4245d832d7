"""The sorts of problem we can explain and mend. A finding may carry several; none makes another milder.

The order is gravest first: attacks down to WEB_ATTACK, then weaknesses.
"""

from __future__ import annotations

from enum import StrEnum


class Problem(StrEnum):
    CRYPTOMINING = "cryptomining"
    MALWARE = "malware"
    RANSOMWARE = "ransomware"
    REVERSE_SHELL = "reverse_shell"
    CONTAINER_ESCAPE = "container_escape"
    CREDENTIAL_THEFT = "credential_theft"
    LATERAL_MOVEMENT = "lateral_movement"
    PRIVILEGE_ESCALATION = "privilege_escalation"
    DATA_EXFILTRATION = "data_exfiltration"
    COMMAND_AND_CONTROL = "command_and_control"
    PERSISTENCE = "persistence"
    DEFENSE_EVASION = "defense_evasion"
    ANOMALOUS_ACCESS = "anomalous_access"
    BRUTE_FORCE = "brute_force"
    RECONNAISSANCE = "reconnaissance"
    WEB_ATTACK = "web_attack"
    LEAKED_KEY = "leaked_key"
    PUBLIC_BUCKET = "public_bucket"
    PUBLIC_DATABASE = "public_database"
    PERMISSIVE_IDENTITY = "permissive_identity"
    OPEN_SECURITY_GROUP = "open_security_group"
    EXPOSED_INSTANCE = "exposed_instance"
    VULNERABILITY = "vulnerability"
    NO_ENCRYPTION = "no_encryption"
    NO_LOGGING = "no_logging"
    NO_MFA = "no_mfa"
    STALE_CREDENTIAL = "stale_credential"

    @property
    def words(self) -> str:
        return self.value.replace("_", " ").replace("mfa", "multi-factor authentication")
