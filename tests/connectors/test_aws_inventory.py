"""What the AWS connector finds, and what it refuses to look for or to touch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from tests.connectors.aws_account import HOME, OTHER, Account

from isthmus.connectors.aws import CONNECTOR
from isthmus.connectors.aws.abilities import ABILITIES
from isthmus.lab.cloud import Cloud
from isthmus.model.assets import AssetKind
from isthmus.model.errors import Refused

ISOLATE, KEY = "aws.isolate_instance", "aws.deactivate_access_key"
BLOCK, QUARANTINE = "aws.block_public_access", "aws.quarantine_bucket"


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with Cloud() as cloud:
        yield cloud


@pytest.fixture
def account(cloud: Cloud) -> Account:
    return Account(cloud)


def test_a_key_is_found_with_its_owner_and_root_is_left_alone(account: Account) -> None:
    user, key = account.key()
    hands = account.hands()
    target = hands.resolve(KEY, key)
    assert (target.handle, target.kind) == (f"aws:{HOME.id}/global/access_key/{key}", AssetKind.ACCESS_KEY)
    assert hands.preview(KEY, key).before == {"user": user, "status": "Active"}
    with pytest.raises(Refused):
        hands.resolve(KEY, "AKIAROOTROOTROOTROOT")


@pytest.mark.parametrize(
    ("ability", "target"),
    [
        *((ISOLATE, one) for one in ("", "*", "i-*", "i-0123", "i-0123456789ABCDEF0", "i-01234567\n", "eni-01234567", "all")),
        *((BLOCK, one) for one in ("", "*", "a", "Bucket", "../other", "name/with/path", "bück", "x" * 64)),
        *((KEY, one) for one in ("", "AKIA*", "AKIA", "akiaabcdefghijklmnop", "ASIAABCDEFGHIJKLMNOP", "AKIAABCDEFGHIJKLMNO٣")),
        (QUARANTINE, "*"),
        ("aws.stop_instance", "i-01234567"),
        ("aws.", "i-01234567"),
    ],
)
def test_what_can_be_no_id_is_refused_before_anything_is_asked(account: Account, ability: str, target: str) -> None:
    hands = account.hands()
    with pytest.raises(Refused):
        hands.resolve(ability, target)
    assert hands.aws.calls == []


def test_another_account_is_refused_before_anything_is_asked(account: Account) -> None:
    hands, key = account.hands(), account.key()[1]
    with pytest.raises(Refused, match=OTHER.id):
        hands.resolve(KEY, key, account=OTHER.id)
    assert hands.aws.calls == []


def test_credentials_of_another_account_do_nothing(account: Account) -> None:
    hands = account.hands(role_arn=None)
    with pytest.raises(Refused, match=f"settings of {HOME.id}"):
        hands.resolve(BLOCK, account.bucket())
    assert hands.aws.calls == ["get_bucket_location", "get_caller_identity"]


def test_an_instance_is_found_in_whichever_region_of_ours_it_lives(account: Account) -> None:
    own = account.host()[0]
    hands = account.hands(regions=["us-west-2", "eu-west-1"])
    for hint in ("", "eu-west-1", "us-west-2", "mars-north-1"):
        target = hands.resolve(ISOLATE, own, region=hint)
        assert (target.region, target.handle) == ("eu-west-1", f"aws:{HOME.id}/eu-west-1/instance/{own}")
    with pytest.raises(Refused, match="there is no instance"):
        account.hands(regions=["us-west-2"]).resolve(ISOLATE, own)


def test_a_bucket_outside_our_regions_is_refused(account: Account) -> None:
    with pytest.raises(Refused, match="lies in eu-west-1"):
        account.hands(regions=["us-west-2"]).resolve(BLOCK, account.bucket())
    with pytest.raises(Refused, match="NoSuchBucket"):
        account.hands().resolve(BLOCK, "a-bucket-that-nobody-has")


def test_a_target_that_another_inventory_minted_is_refused(account: Account) -> None:
    hands, name = account.hands(), account.bucket()
    preview = hands.preview(BLOCK, name)
    changes: tuple[dict[str, Any], ...] = (
        {"handle": f"aws:{OTHER.id}/eu-west-1/bucket/{name}"},
        {"handle": f"aws:{HOME.id}/eu-west-1/instance/{name}"},
        {"id": "another-bucket"},
        {"region": "us-east-1"},
    )
    for changed in changes:
        forged = replace(preview, target=replace(preview.target, **changed))
        for attempt in (hands.apply, hands.undo, hands.verify):
            with pytest.raises(Refused, match="is not"):
                attempt(forged)


def test_the_connector_declares_what_it_does(account: Account) -> None:
    assert CONNECTOR.connect is not None
    roles = CONNECTOR.connect(*account.settings())
    assert roles.inventory is not None and roles.actuator is not None
    assert set(roles.actuator.abilities) == {one.name for one in ABILITIES}
    assert {name for one in CONNECTOR.permissions for name in one.abilities} == set(roles.actuator.abilities)
