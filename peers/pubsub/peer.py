"""Google's own client, google-cloud-pubsub over its REST transport, against the simulated Pub/Sub.

Reads one line of JSON with where it is, and prints one line for every call with whether it was answered right. Runs in
an environment of its own.
"""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version
from typing import Any

from google.api_core import exceptions  # type: ignore[import-not-found]
from google.auth.transport import requests as carried
from google.oauth2 import service_account
from google.pubsub_v1 import PublisherClient, SubscriberClient  # type: ignore[import-not-found]
from google.pubsub_v1.services.publisher.transports import PublisherRestTransport  # type: ignore[import-not-found]
from google.pubsub_v1.services.subscriber.transports import SubscriberRestTransport  # type: ignore[import-not-found]

SCOPE = "https://www.googleapis.com/auth/pubsub"


def say(call: str, right: bool, saw: object) -> None:
    """One call, and whether the answer was right."""
    name = "google-cloud-pubsub"
    line = {"who": name, "version": version(name), "call": call, "right": bool(right), "saw": str(saw)}
    sys.stdout.write(json.dumps(line) + "\n")


class Client:
    """Publisher and subscriber of one service account. Retries of the client's own are off, so that errors are seen."""

    def __init__(self, at: dict[str, Any], account: dict[str, str]) -> None:
        self.at = at
        credentials = service_account.Credentials.from_service_account_info(account, scopes=[SCOPE])
        # Else the client signs tokens itself and never asks the token endpoint.
        credentials = credentials.with_always_use_jwt_access(False)
        credentials.refresh(carried.Request())
        host = at["origin"].removeprefix("https://")
        given = {"host": host, "credentials": credentials}
        self.publisher = PublisherClient(transport=PublisherRestTransport(**given))
        self.subscriber = SubscriberClient(transport=SubscriberRestTransport(**given))

    def publish(self, *bodies: bytes, topic: str = "") -> list[str]:
        messages = [{"data": one, "attributes": {"kind": "drill"}} for one in bodies]
        request = {"topic": topic or self.at["topic"], "messages": messages}
        return list(self.publisher.publish(request=request, retry=None).message_ids)

    def pull(self, most: int, subscription: str = "") -> list[Any]:
        request = {"subscription": subscription or self.at["subscription"], "max_messages": most}
        return list(self.subscriber.pull(request=request, retry=None, timeout=10).received_messages)

    def acknowledge(self, tokens: list[str], subscription: str = "") -> None:
        request = {"subscription": subscription or self.at["subscription"], "ack_ids": tokens}
        self.subscriber.acknowledge(request=request, retry=None)

    def deadline(self, tokens: list[str], seconds: int, subscription: str = "") -> None:
        whose = subscription or self.at["subscription"]
        request = {"subscription": whose, "ack_ids": tokens, "ack_deadline_seconds": seconds}
        self.subscriber.modify_ack_deadline(request=request, retry=None)


def set_up(client: Client) -> None:
    found = client.subscriber.get_subscription(request={"subscription": client.at["subscription"]}, retry=None)
    say("get a subscription", (found.topic, found.ack_deadline_seconds) == (client.at["topic"], 10), found.ack_deadline_seconds)
    own = {"name": "projects/tidewater/subscriptions/peer", "topic": client.at["topic"], "ack_deadline_seconds": 11}
    made = client.subscriber.create_subscription(request=own, retry=None)
    say("create a subscription", made.name == own["name"] and made.ack_deadline_seconds == 11, made.name)
    again = _raises(lambda: client.subscriber.create_subscription(request=own, retry=None), exceptions.Conflict)
    say("creating it again is a conflict", again, "409")
    topic = client.publisher.create_topic(request={"name": "projects/tidewater/topics/peer"}, retry=None)
    say("create a topic", topic.name == "projects/tidewater/topics/peer", topic.name)


def publish_and_consume(client: Client) -> None:
    ids = client.publish(b'{"a": 1}', b"\x00\xff", "é".encode())
    say("publish three messages", len(set(ids)) == 3 and all(ids), ids)
    found = client.pull(10)
    say("pull them", [one.message.data for one in found] == [b'{"a": 1}', b"\x00\xff", "é".encode()], len(found))
    say("under their ids", [one.message.message_id for one in found] == ids, ids)
    say("with attributes", all(dict(one.message.attributes) == {"kind": "drill"} for one in found), "kind")
    say(
        "with the time of publishing",
        all(one.message.publish_time.year == 2026 for one in found),
        found[0].message.publish_time,
    )
    say("what is pulled is not pulled again", client.pull(10) == [], "nothing")
    client.deadline([found[0].ack_id], 0)
    again = client.pull(10)
    same = [one.message.message_id for one in again] == ids[:1] and again[0].ack_id != found[0].ack_id
    say("what is given back comes again under another ack id", same, len(again))
    client.acknowledge([again[0].ack_id, *(one.ack_id for one in found[1:])])
    client.acknowledge([again[0].ack_id])
    say("acknowledging twice is no error", True, "twice")
    began = time.monotonic()
    say("nothing is left", client.pull(10) == [], f"{time.monotonic() - began:.1f} s")
    other = client.pull(10, "projects/tidewater/subscriptions/peer")
    say("another subscription has its own copies", [one.message.message_id for one in other] == ids, len(other))
    client.acknowledge([one.ack_id for one in other], "projects/tidewater/subscriptions/peer")


def exactly_once(client: Client) -> None:
    name = "projects/tidewater/subscriptions/exactly"
    own = {"name": name, "topic": client.at["topic"], "enable_exactly_once_delivery": True}
    client.subscriber.create_subscription(request=own, retry=None)
    client.publish(b"{}")
    (found,) = client.pull(10, name)
    client.acknowledge([found.ack_id], name)
    try:
        client.acknowledge([found.ack_id], name)
        say("with exactly-once a stale ack id is told", False, "no error")
    except exceptions.BadRequest as error:
        told = dict(error.metadata or {})
        say(
            "with exactly-once a stale ack id is told", told == {found.ack_id: "PERMANENT_FAILURE_INVALID_ACK_ID"}, error.reason
        )
    for one in client.pull(10):
        client.acknowledge([one.ack_id])


def be_refused(client: Client) -> None:
    nowhere = "projects/tidewater/subscriptions/nowhere"
    say("an unknown subscription is NotFound", _raises(lambda: client.pull(1, nowhere), exceptions.NotFound), "NotFound")
    unknown = _raises(lambda: client.publish(b"{}", topic="projects/tidewater/topics/none"), exceptions.NotFound)
    say("an unknown topic is NotFound", unknown, "NotFound")
    say("a wrong ack id is a bad request", _raises(lambda: client.acknowledge(["x"]), exceptions.BadRequest), "400")
    say("pulling nothing is a bad request", _raises(lambda: client.pull(0), exceptions.BadRequest), "400")
    stranger = {**client.at["account"], "client_email": "stranger@tidewater.iam.gserviceaccount.com"}
    try:
        Client(client.at, stranger)
        say("a stranger gets no token", False, "a token")
    except Exception as error:  # noqa: BLE001 - which of google-auth's it is, is shown
        say("a stranger gets no token", type(error).__name__ == "RefreshError", type(error).__name__)


def _raises(call: Any, expected: Any) -> bool:
    try:
        call()
    except expected:
        return True
    return False


def main() -> None:
    """Everything, in order; the last step leaves messages for our own consumer."""
    at = json.loads(sys.stdin.readline())
    client = Client(at, at["account"])
    say("a token for a signed assertion", True, "refreshed")
    set_up(client)
    publish_and_consume(client)
    exactly_once(client)
    be_refused(client)
    ids = client.publish(*(json.dumps({"number": one}).encode() for one in range(at["leave"])))
    say("publish for our consumer", len(ids) == at["leave"], len(ids))


if __name__ == "__main__":
    main()
