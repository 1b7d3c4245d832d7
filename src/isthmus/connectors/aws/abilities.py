"""What we can do in AWS: a closed list."""

from __future__ import annotations

from isthmus.connectors.aws.block_public_access import BLOCK_PUBLIC_ACCESS
from isthmus.connectors.aws.deactivate_access_key import DEACTIVATE_ACCESS_KEY
from isthmus.connectors.aws.isolate_instance import ISOLATE_INSTANCE
from isthmus.connectors.aws.quarantine_bucket import QUARANTINE_BUCKET

ABILITIES = (DEACTIVATE_ACCESS_KEY, BLOCK_PUBLIC_ACCESS, ISOLATE_INSTANCE, QUARANTINE_BUCKET)
BY_NAME = {one.name: one for one in ABILITIES}
