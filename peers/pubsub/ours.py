"""The simulated Pub/Sub over TLS for Google's own client, and our consumer of what that client published.

Prints one line of JSON with where it is; after a line on standard input, one line for everything our consumer then sees.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

from isthmus import __version__
from isthmus.connectors.pubsub.config import PubSubConfig
from isthmus.connectors.pubsub.queue import PubSubQueue
from isthmus.connectors.pubsub.simulated import SUBSCRIPTION, TOPIC, SimulatedPubSub
from isthmus.lab.servers import Town
from isthmus.wire.http import WireOutward

AT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
PUBLISHED = 7
"""How many messages the client leaves for us in its last step."""


async def seen(platform: SimulatedPubSub, town: Town, config: PubSubConfig) -> AsyncIterator[tuple[str, bool, object]]:
    """What our consumer sees of what the client published, and that it leaves nothing behind."""
    outward = WireOutward(lambda: AT, town.authority)
    try:
        queue = PubSubQueue(config, outward)
        found = [*await queue.receive(5), *await queue.receive(100)]
        bodies = [json.loads(one.body) for one in found]
        yield "receives what the client published", bodies == [{"number": one} for one in range(PUBLISHED)], len(bodies)
        yield "reads when it was published", all(one.sent_at is not None for one in found), found[0].sent_at
        await queue.hold([one.handle for one in found])
        platform.state.skip(30)
        yield "holds it beyond the subscription's deadline", await queue.receive(100) == (), "nothing again"
        left = await queue.acknowledge([one.handle for one in found])
        platform.lapse()
        again = await queue.receive(100)
        yield "acknowledges it", left == () and again == () and not platform.state.subscriptions[SUBSCRIPTION].messages, left
    finally:
        await outward.close()


async def look(platform: SimulatedPubSub, town: Town, config: PubSubConfig) -> None:
    """Prints what is seen."""
    async for call, right, saw in seen(platform, town, config):
        line = {"who": "our consumer after it", "version": __version__, "call": call, "right": right, "saw": str(saw)}
        sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Serve until told to look."""
    platform = SimulatedPubSub()
    with tempfile.TemporaryDirectory() as folder, Town(Path(folder)) as town:
        origin = town.serve(platform.app)
        config = PubSubConfig(**platform.config(origin, town.secret))
        where = {"origin": origin, "authority": str(town.authority), "topic": TOPIC, "subscription": SUBSCRIPTION}
        sys.stdout.write(json.dumps({**where, "account": platform.account(origin), "leave": PUBLISHED}) + "\n")
        sys.stdout.flush()
        if sys.stdin.readline():
            asyncio.run(look(platform, town, config))


if __name__ == "__main__":
    main()
