"""What our role must be allowed on the queue, and the smallest policy that says so."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from isthmus.contracts.connector import Permission
from isthmus.model.errors import Refused

READING = "reading"
PERMISSIONS = (
    Permission("sqs:ReceiveMessage", "take messages"),
    Permission("sqs:DeleteMessage", "acknowledge what is stored"),
    Permission("sqs:ChangeMessageVisibility", "keep a message while it is being stored"),
    Permission("kms:Decrypt", "only where the queue is encrypted with a key of your own, on that key"),
)
CANNOT = {
    "say who sent a message": "SQS does not show the sender; so alerts are hints unless the settings vouch for the queue",
    "count alerts at the source": "a queue tells how much waits in it, not how much its platform ever sent",
}


def policy_document(abilities: Collection[str], account: str, partition: str = "aws") -> dict[str, Any]:
    """The IAM policy reading needs, ready for JSON once REGION and QUEUE are replaced: until then it allows nothing.

    Raises `Refused` for any ability: a queue is only read. The key of an encrypted queue has a policy of its own.
    """
    unknown = sorted(set(abilities) - {READING})
    if unknown:
        raise Refused(f"SQS has no ability {', '.join(unknown)}; its policy is for {READING}")
    actions = [one.name for one in PERMISSIONS if one.name.startswith("sqs:")]
    queue = f"arn:{partition}:sqs:REGION:{account}:QUEUE"
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": [queue]}]}
