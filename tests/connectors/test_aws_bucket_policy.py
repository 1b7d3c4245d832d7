"""A bucket's policy as data: what counts as the same, who is exempt, and our deny in it."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.connectors.aws.bucket_policy import SID, alike, exempt, quarantined
from isthmus.connectors.aws.clients import Caller
from isthmus.model.errors import Refused

OWN = "210987654321"
ROLE = f"arn:aws:iam::{OWN}:role/isthmus"
WORDS = st.sampled_from(["s3:GetObject", "s3:PutObject", "s3:ListBucket"])
STATEMENTS = st.lists(
    st.fixed_dictionaries(
        {
            "Effect": st.sampled_from(["Allow", "Deny"]),
            "Action": st.lists(WORDS, min_size=1, unique=True),
            "Principal": st.sampled_from(["*", {"AWS": [f"arn:aws:iam::{OWN}:root"]}, {"Service": "logs.amazonaws.com"}]),
            "Resource": st.just("arn:aws:s3:::bucket/*"),
        }
    ),
    min_size=1,
    max_size=4,
)


def policy(statements: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def written_otherwise(value: Any, rng: random.Random) -> Any:
    """The same as AWS may hand it back: lists of one without brackets, lists in another order, an account for its root."""
    if isinstance(value, dict):
        return {key: written_otherwise(inner, rng) for key, inner in sorted(value.items(), key=lambda _: rng.random())}
    if isinstance(value, list):
        mixed = [written_otherwise(inner, rng) for inner in rng.sample(value, len(value))]
        return mixed[0] if len(mixed) == 1 else mixed
    return OWN if value == f"arn:aws:iam::{OWN}:root" else value


@given(statements=STATEMENTS, seed=st.integers())
def test_a_policy_written_otherwise_says_the_same(statements: list[dict[str, Any]], seed: int) -> None:
    told = written_otherwise({"Version": "2012-10-17", "Statement": statements}, random.Random(seed))
    assert alike(policy(statements), json.dumps(told, indent=2))


@given(statements=STATEMENTS, place=st.integers(0, 3))
def test_a_policy_that_says_more_or_less_is_another(statements: list[dict[str, Any]], place: int) -> None:
    changed = [dict(one) for one in statements]
    changed[place % len(changed)]["Action"] = ["s3:DeleteObject"]
    assert not alike(policy(statements), policy(changed))
    assert not alike(policy(statements), policy([*statements, changed[place % len(changed)]]))
    assert not alike(policy(statements), None)
    assert not alike(None, policy(statements))


@given(statements=STATEMENTS)
def test_a_quarantine_adds_one_statement_and_leaves_the_others(statements: list[dict[str, Any]]) -> None:
    once = quarantined(policy(statements), "bucket", "aws", [ROLE])
    told = json.loads(once)["Statement"]
    assert told[:-1] == statements
    assert told[-1]["Sid"] == SID
    assert quarantined(once, "bucket", "aws", [ROLE]) == once
    later = json.loads(quarantined(once, "bucket", "aws", [ROLE, f"{ROLE}-2"]))["Statement"]
    assert later[:-1] == statements and len(later[-1]["Condition"]["ArnNotLike"]["aws:PrincipalArn"]) == 2


@pytest.mark.parametrize(
    ("arn", "named"),
    [
        (f"arn:aws:sts::{OWN}:assumed-role/isthmus/session", {ROLE, f"arn:aws:iam::{OWN}:role/*/isthmus"}),
        (
            f"arn:aws-cn:sts::{OWN}:assumed-role/ops@a=b/i-0123",
            {f"arn:aws-cn:iam::{OWN}:role/ops@a=b", f"arn:aws-cn:iam::{OWN}:role/*/ops@a=b"},
        ),
        (f"arn:aws:iam::{OWN}:user/teams/isthmus", {f"arn:aws:iam::{OWN}:user/teams/isthmus"}),
        (f"arn:aws:iam::{OWN}:root", {f"arn:aws:iam::{OWN}:root"}),
    ],
)
def test_we_ourselves_are_exempt_by_what_aws_compares(arn: str, named: set[str]) -> None:
    assert set(exempt(Caller(OWN, arn), None, [])) == named
    assert set(exempt(Caller(OWN, arn), ROLE, ["arn:aws:iam::111122223333:root"])) == {ROLE, "arn:aws:iam::111122223333:root"}


@pytest.mark.parametrize(
    "arn",
    [
        f"arn:aws:sts::{OWN}:federated-user/somebody",
        f"arn:aws:sts::{OWN}:assumed-role/*/session",
        f"arn:aws:iam::{OWN}:user/*",
        f"arn:aws:sts::{OWN}:user/moto",
        "",
    ],
)
def test_whoever_cannot_be_named_shuts_nobody_out(arn: str) -> None:
    with pytest.raises(Refused, match="could not be taken back"):
        exempt(Caller(OWN, arn), None, ["arn:aws:iam::111122223333:root"])


@pytest.mark.parametrize("text", ["", "[]", "not json", "[" * 100_000])
def test_a_policy_that_is_none_is_not_touched(text: str) -> None:
    with pytest.raises(Refused, match="not a JSON object"):
        quarantined(text, "bucket", "aws", [ROLE])
