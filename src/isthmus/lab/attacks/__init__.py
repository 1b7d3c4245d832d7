"""The attacks, one file per sort of place. Each is a story over real assets, told by those who would see it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from isthmus.lab.attacks import buckets, hosts, identities, kubernetes, other_clouds
from isthmus.lab.scenes import Scene


@dataclass(frozen=True, slots=True)
class Attack:
    """A kind of attack: its name, what happens in one sentence, and how it is told."""

    kind: str
    what: str
    play: Callable[[Scene], None]


ATTACKS = (
    Attack(
        "exploited_edge_host",
        "A vulnerability known to be exploited on an internet-facing instance lets somebody open a reverse shell and mine.",
        hosts.exploited_edge_host,
    ),
    Attack(
        "stolen_instance_credentials",
        "Credentials of an instance's role are read through its web application, used from outside AWS, and a bucket copied.",
        identities.stolen_instance_credentials,
    ),
    Attack(
        "leaked_access_key",
        "An access key committed to a repository is used from a new country, and a new administrator is left behind.",
        identities.leaked_access_key,
    ),
    Attack(
        "public_bucket_copied",
        "A bucket with personal data was opened to everybody and is read in bulk by strangers.",
        buckets.public_bucket_copied,
    ),
    Attack(
        "bucket_destroyed",
        "An administrator's session switches off logging and versioning, deletes a bucket of backups and leaves a ransom note.",
        buckets.bucket_destroyed,
    ),
    Attack(
        "container_escape",
        "A hole in a web application leads out of its container to the node, its service account and the cluster's secrets.",
        kubernetes.container_escape,
    ),
    Attack(
        "lateral_movement",
        "A guessed SSH password opens one instance, from which two more are entered one after the other.",
        hosts.lateral_movement,
    ),
    Attack(
        "build_role_abused",
        "The role of a build runner is used to plant a function that calls home every few minutes.",
        identities.build_role_abused,
    ),
    Attack(
        "azure_brute_force",
        "A virtual machine in Azure gives way to password guessing and is loaded with malware.",
        other_clouds.azure_brute_force,
    ),
    Attack(
        "gcp_key_abused",
        "A key of a GCP service account is used from an unknown place to start machines that mine.",
        other_clouds.gcp_key_abused,
    ),
)
