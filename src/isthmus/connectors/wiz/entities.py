"""What Wiz's shapes share: entities, risk names, framework rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from isthmus.contracts.reading import Record, by_name, first_text, items, section, text, value_at
from isthmus.model.assets import Asset, asset_kind
from isthmus.model.outside import Outside


def framework_pairs(rows: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """(framework, requirement) of each sub-category; Wiz writes the requirement's id as the head of its title."""
    for row in rows:
        yield first_text(row, "category.framework.name", "category.framework.id"), text(row, "title")


def risk_says(risks: tuple[str, ...], *stems: str) -> bool | None:
    """True when one of Wiz's own risk names has one of the stems; Wiz never says a risk is absent."""
    return True if any(stem in risk.upper() for risk in risks for stem in stems) else None


def _tags(record: Record, *path: str) -> tuple[tuple[str, Outside], ...]:
    """Tags as an object or as a list of {key, value}."""
    if isinstance(value_at(record, *path), list):
        return by_name((text(tag, "key"), Outside(text(tag, "value"))) for tag in items(record, *path))
    return by_name((name, Outside(str(value))) for name, value in section(record, *path).items())


def entity(entity: Mapping[str, Any], account: str = "", provider: str = "") -> Asset:
    """An entity snapshot, a vulnerable asset, a Defend resource or actor: they share their field names."""
    own = text(entity, "id")
    given = [
        first_text(entity, "providerId", "providerUniqueId"),
        text(entity, "externalId"),
        f"wiz:{own}" if own else "",
    ]
    return Asset(
        kind=asset_kind(text(entity, "nativeType"), text(entity, "type")),
        provider=(first_text(entity, "cloudPlatform", "cloudAccount.cloudPlatform") or provider).lower(),
        account=first_text(entity, "subscriptionExternalId", "subscriptionId", "cloudAccount.externalId") or account,
        region=text(entity, "region"),
        name=Outside(text(entity, "name")),
        ids=tuple(dict.fromkeys(one for one in given if one)),
        tags=_tags(entity, "tags"),
    )
