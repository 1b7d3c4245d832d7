"""One thing, many names."""

from __future__ import annotations

import itertools

import pytest

from isthmus.graph.identity import names_of, settle
from isthmus.model.assets import Asset, AssetKind, asset_kind
from isthmus.model.outside import Outside


def names(*ids: str, kind: AssetKind = AssetKind.OTHER, provider: str = "aws", account: str = "210987654321") -> set[str]:
    return set(names_of(Asset(kind, provider, account, ids=ids)))


@pytest.mark.parametrize(
    ("one", "other", "kind"),
    [
        ("arn:aws:ec2:eu-west-1:210987654321:instance/i-0a1b2c3d4e5f60718", "i-0a1b2c3d4e5f60718", AssetKind.INSTANCE),
        ("arn:aws:ec2:eu-west-1:XXXXXXXXXXXX:i-0a1b2c3d4e5f60718", "i-0a1b2c3d4e5f60718", AssetKind.INSTANCE),
        ("arn:aws:s3:::tidewater-claims", "tidewater-claims", AssetKind.BUCKET),
        ("arn:aws:s3:::tidewater-claims/key/of/object", "arn:aws:s3:::tidewater-claims", AssetKind.BUCKET),
        ("arn:aws:sts::210987654321:assumed-role/ci/session-1", "arn:aws:iam::210987654321:role/ci", AssetKind.ROLE),
        ("arn:aws:iam::210987654321:role/path/ci", "ci", AssetKind.ROLE),
        ("arn:aws:iam::210987654321:user/ann", "ann", AssetKind.USER),
        (
            "arn:aws:lambda:eu-west-1:210987654321:function:pay:7",
            "arn:aws:lambda:eu-west-1:210987654321:function:pay",
            AssetKind.FUNCTION,
        ),
        (
            "arn:aws:ec2:eu-west-1:210987654321:security-group/sg-0a1b2c3d4e5f60718",
            "sg-0a1b2c3d4e5f60718",
            AssetKind.SECURITY_GROUP,
        ),
        (
            "/subscriptions/S/resourceGroups/R/providers/P/x/VM1",
            "/subscriptions/s/resourcegroups/r/providers/p/x/vm1",
            AssetKind.INSTANCE,
        ),
        (
            "//compute.googleapis.com/projects/p/zones/z/instances/n",
            "https://www.googleapis.com/compute/v1/projects/p/zones/z/instances/n",
            AssetKind.INSTANCE,
        ),
        ("gs://claims", "//storage.googleapis.com/claims", AssetKind.BUCKET),
        ("docker://" + "ab" * 32, "ab" * 32, AssetKind.CONTAINER),
        (
            "arn:aws:ecr:eu-west-1:210987654321:repository/r/sha256:" + "cd" * 32,
            "repo/r@sha256:" + "cd" * 32,
            AssetKind.IMAGE,
        ),
    ],
)
def test_two_platforms_names_meet(one: str, other: str, kind: AssetKind) -> None:
    assert names(one, kind=kind) & names(other, kind=kind)


@pytest.mark.parametrize(
    ("one", "other", "kind"),
    [
        ("arn:aws:iam::210987654321:role/web", "arn:aws:iam::210987654321:instance-profile/web", AssetKind.ROLE),
        ("arn:aws:iam::210987654321:role/web", "arn:aws:iam::111111111111:role/web", AssetKind.ROLE),
        ("web-1", "arn:aws:ec2:eu-west-1:210987654321:instance/i-0a1b2c3d4e5f60718", AssetKind.INSTANCE),
        ("wiz:abc", "orca:abc", AssetKind.INSTANCE),
        ("arn:aws:sts::210987654321:assumed-role/web/i-0a1b2c3d4e5f60718", "i-0a1b2c3d4e5f60718", AssetKind.ROLE),
        ("arn:aws:s3:::evil/i-0a1b2c3d4e5f60718", "i-0a1b2c3d4e5f60718", AssetKind.BUCKET),
        ("arn:aws:s3:::evil/sha256:" + "cd" * 32, "sha256:" + "cd" * 32, AssetKind.BUCKET),
        (
            "arn:aws:s3:eu-west-1:210987654321:accesspoint/one",
            "arn:aws:s3:eu-west-1:111111111111:accesspoint/one",
            AssetKind.BUCKET,
        ),
        ("arn:aws:s3:::logs", "arn:aws-cn:s3:::logs", AssetKind.BUCKET),
        ("arn:aws:iam::210987654321:root", "210987654321", AssetKind.ACCOUNT),
        (
            "arn:aws:lambda:eu-west-1:210987654321:layer:pay:3",
            "arn:aws:lambda:eu-west-1:210987654321:function:pay",
            AssetKind.FUNCTION,
        ),
        (
            "//spanner.googleapis.com/projects/p/instances/prod",
            "//sqladmin.googleapis.com/projects/p/instances/prod",
            AssetKind.DATABASE,
        ),
    ],
)
def test_what_is_not_one_thing_stays_apart(one: str, other: str, kind: AssetKind) -> None:
    assert not names(one, kind=kind) & names(other, kind=kind)


def test_words_for_nothing_are_no_identity() -> None:
    for word in ("", "N/A", "none", "null", "*", "-"):
        assert names(word) == set()


def test_what_is_only_shown_is_bound_to_its_place() -> None:
    shown = Asset(AssetKind.INSTANCE, "aws", "1", "eu", Outside("web"))
    assert names_of(shown) != names_of(Asset(AssetKind.INSTANCE, "aws", "2", "eu", Outside("web")))
    assert names_of(Asset(AssetKind.INSTANCE, name=Outside("web"))) == ()


def test_settling_does_not_depend_on_order() -> None:
    groups = [("aws:i-1", "wiz:a"), ("wiz:a", "orca:b"), ("arn:x", "aws:i-1"), ("aws:i-2",)]
    settled = [settle(order) for order in itertools.permutations(groups)]
    assert all(one == settled[0] for one in settled)
    assert {settled[0][name] for name in ("aws:i-1", "wiz:a", "orca:b", "arn:x")} == {"arn:x"}


def test_kinds_are_read_whatever_the_spelling() -> None:
    for native in ("AwsS3Bucket", "AWS S3 Bucket", "aws_s3_bucket", "BUCKET"):
        assert asset_kind(native) is AssetKind.BUCKET
    assert asset_kind("something new") is AssetKind.OTHER
