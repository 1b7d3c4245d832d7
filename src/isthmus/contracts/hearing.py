"""Promises of what platforms tell us: alerts read again, streams pulled, webhooks taken, settings believed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, get_args

from pydantic.fields import FieldInfo

from isthmus.contracts.checks import Broken, read_all
from isthmus.contracts.connector import Connector
from isthmus.contracts.rig import Rig
from isthmus.contracts.roles import Page
from isthmus.contracts.staging import HOSTILE, Alerts, other_than, refused, sure
from isthmus.contracts.wire import SecretRef
from isthmus.model.errors import IsthmusError, Untrusted
from isthmus.model.findings import Finding

_MOST_PAGES = 200


async def an_alert_is_read_again_under_its_id(rig: Rig, role: str) -> None:
    """Refetch of a held alert reads back under its source id, told in full, twice the same; what the platform cannot be
    asked for is declared, and refused without asking.
    """
    vendor = rig.connector
    known = await Alerts(rig).held()
    async with rig.connected() as roles:
        refetcher = sure(roles.refetcher)
        for own in known:
            payloads = await refetcher.refetch(own)
            if not any(claim.source_id == own and not claim.hint for claim in _claims(vendor, payloads)):
                raise Broken(f"{vendor.name} {role}: {own} does not read back under its id")
            if await refetcher.refetch(own) != payloads:
                raise Broken(f"{vendor.name} {role}: {own} reads differently the second time")


async def an_id_that_is_nobodys_is_refused(rig: Rig, role: str) -> None:
    """Refetch of an unknown or hostile id is refused in one clear line, changes nothing, and breaks nothing."""
    known = await Alerts(rig).held()
    before = rig.state()
    place = f"{rig.connector.name} {role}"
    async with rig.connected() as roles:
        refetcher = sure(roles.refetcher)
        for own in (*(each for one in known for each in _near(one)), *HOSTILE, *(f"{known[0]}{one}" for one in HOSTILE[1:])):
            await refused(f"{place}: {own[:60]!r}", refetcher.refetch(own))
        for own in known:
            await refetcher.refetch(own)
    if rig.state() != before:
        raise Broken(f"{place}: asking for ids that are nobody's changed the platform")


def _near(own: str) -> Iterator[str]:
    """Ids of the form of a known one that nobody has."""
    yield other_than(own)
    yield f"{own}0"
    yield own[::-1]


def _claims(vendor: Connector, payloads: Sequence[dict[str, Any]]) -> list[Finding]:
    claims = [claim for one in payloads for claim in read_all(vendor, json.loads(json.dumps(one)))]
    unread = [claim for claim in claims if isinstance(claim, Untrusted)]
    if unread:
        raise Broken(f"{vendor.name}: what its API tells cannot be read: {unread[0]}")
    return [claim for claim in claims if isinstance(claim, Finding)]


async def what_is_held_arrives_once(rig: Rig, role: str) -> None:
    """Every alert held arrives, under one source id with one reading, though we connect anew before every page and though
    more alerts come up between two pages and between two passes.
    """
    alerts = Alerts(rig)
    wanted = alerts.more(0)
    got: dict[str, str] = {}
    async with rig.connected() as roles:
        streams = sure(roles.pollable).streams
    first = {stream: await _page(rig, stream, "", got) for stream in streams}
    if not any(page.more for page in first.values()):
        raise Broken(f"{rig.connector.name} {role}: {len(wanted)} alerts came on one page, so paging was not shown")
    wanted |= alerts.more(1)
    ends = {stream: await _to_the_end(rig, stream, page, got) for stream, page in first.items()}
    wanted |= alerts.more(2)
    for stream, page in ends.items():
        await _to_the_end(rig, stream, await _page(rig, stream, page.cursor, got), got)
    if set(got) != wanted:
        missing, strange = sorted(wanted - set(got)), sorted(set(got) - wanted)
        raise Broken(f"{rig.connector.name} {role}: never arrived {missing[:4]}; nobody held {strange[:4]}")


async def _page(rig: Rig, stream: str, cursor: str, got: dict[str, str]) -> Page:
    """A page on a new connection, with what was read from it added; asked for twice, it is the same."""
    async with rig.connected(**_small_pages(rig)) as roles:
        page = await sure(roles.pollable).since(stream, cursor)
        again = await sure(roles.pollable).since(stream, page.cursor if page.more else cursor)
        if not page.more and again.payloads != page.payloads:
            raise Broken(f"{rig.connector.name}: {stream}: the same cursor leads to another page")
    for claim in _claims(rig.connector, page.payloads):
        reading = repr(claim)
        if got.setdefault(claim.source_id, reading) != reading:
            raise Broken(f"{rig.connector.name}: {stream}: {claim.source_id} arrives in two readings")
    return page


async def _to_the_end(rig: Rig, stream: str, page: Page, got: dict[str, str]) -> Page:
    for _ in range(_MOST_PAGES):
        if not page.more:
            return page
        page = await _page(rig, stream, page.cursor, got)
    raise Broken(f"{rig.connector.name}: {stream} has no end")


def _small_pages(rig: Rig) -> dict[str, Any]:
    known = rig.connector.config is not None and "page_size" in rig.connector.config.model_fields
    return {"page_size": 2} if known else {}


async def a_cursor_can_be_used_again(rig: Rig, role: str) -> None:
    """The same cursor leads to the same page, also on a new connection and after later pages were read. A stream or a
    cursor that is none is refused, never guessed at.
    """
    Alerts(rig).more(0)
    small, place = _small_pages(rig), f"{rig.connector.name} {role}"
    async with rig.connected(**small) as roles:
        pollable = sure(roles.pollable)
        for stream in pollable.streams:
            pages: list[Page] = []
            cursors = [""]
            while len(cursors) < _MOST_PAGES and (not pages or pages[-1].more):
                pages.append(await pollable.since(stream, cursors[-1]))
                cursors.append(pages[-1].cursor)
            await _same_again(rig, stream, cursors, pages)
            for wrong in (*HOSTILE[1:], "{}", "[]", "null", "0", '{"v": 999}'):
                await refused(f"{place}: {stream} with the cursor {wrong[:60]!r}", pollable.since(stream, wrong))
        for wrong in ("", "nobody's", f"{pollable.streams[0]}x"):
            await refused(f"{place}: a stream {wrong!r}", pollable.since(wrong, ""))


async def _same_again(rig: Rig, stream: str, cursors: Sequence[str], pages: Sequence[Page]) -> None:
    async with rig.connected(**_small_pages(rig)) as roles:
        for cursor, page in zip(cursors, pages, strict=False):
            again = await sure(roles.pollable).since(stream, cursor)
            if (again.payloads, again.more) != (page.payloads, page.more):
                raise Broken(f"{rig.connector.name}: {stream}: the same cursor leads to another page")


async def only_the_secret_opens_the_webhook(rig: Rig, role: str) -> None:
    """A delivery is taken with the webhook's secret where the vendor shows it, and turned away without storing anything
    when that is missing, wrong, almost right or shown elsewhere.
    """
    webhook = sure(rig.connector.webhook)
    place, secret = f"{rig.connector.name} {role}", _webhook_secret(rig)
    body = json.dumps({"delivery": 1}).encode()
    for wrong in _almost(secret):
        path, headers = (f"/{wrong}", {}) if webhook.in_path else ("", {webhook.header: f"{webhook.prefix}{wrong}"})
        await _turned_away(rig, place, path, headers, body)
    for path, headers in _elsewhere(rig.connector, secret):
        await _turned_away(rig, place, path, headers, body)
    path, headers = (f"/{secret}", {}) if webhook.in_path else ("", {webhook.header: f"{webhook.prefix}{secret}"})
    status = await rig.deliver(path, headers, body)
    if status != 202 or rig.delivered() != 1:
        raise Broken(f"{place}: with the right secret a delivery is answered {status}, and {rig.delivered()} are stored")


def _webhook_secret(rig: Rig) -> str:
    reference = str(rig.settings.get("webhook_secret"))
    if reference not in rig.secrets:
        raise Broken(f"{rig.connector.name}: a webhook needs a `webhook_secret` in its settings")
    return rig.secrets[reference]


def _almost(secret: str) -> tuple[str, ...]:
    """Secrets that are not it; none of them needs quoting where it itself does not."""
    half = secret[: len(secret) // 2]
    return (
        "wrong",
        secret[:-1],
        secret[1:],
        f"{secret}x",
        f"x{secret}",
        secret.swapcase(),
        half,
        secret + secret,
        secret[::-1],
    )


def _elsewhere(vendor: Connector, secret: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The right secret in the wrong place, and none at all."""
    webhook = sure(vendor.webhook)
    yield "", {}
    yield f"?secret={secret}", {}
    yield "", {"x-some-header": secret, "cookie": f"secret={secret}"}
    if webhook.in_path:
        yield "", {webhook.header: f"Bearer {secret}"}
        yield "/", {webhook.header: secret}
        return
    yield f"/{secret}", {}
    yield "", {webhook.header: ""}
    yield "", {webhook.header: webhook.prefix}
    yield "", {webhook.header: f"{webhook.prefix or 'Bearer '}wrong {secret}"}
    yield "", {webhook.header: secret if webhook.prefix else f"Bearer {secret}"}


async def _turned_away(rig: Rig, place: str, path: str, headers: dict[str, str], body: bytes) -> None:
    status = await rig.deliver(path, headers, body)
    # A path that is no webhook's address is said to be none.
    if status not in {401, 403, 404} or rig.delivered():
        raise Broken(f"{place}: a delivery without its secret is answered {status}, and {rig.delivered()} are stored")


async def settings_are_believed_only_when_they_fit(rig: Rig, role: str) -> None:
    """Unknown keys are refused, and so is a secret that stands there itself, which the error does not repeat."""
    place, model = f"{rig.connector.name} {role}", sure(rig.connector.config)
    rig.check(rig.settings)
    _not_believed(rig, place, {**rig.settings, "colour": "blue"}, "colour")
    references = [name for name, field in model.model_fields.items() if _refers(field)]
    unseen = {name for name, value in rig.settings.items() if str(value) in rig.secrets} - set(references)
    if unseen:
        raise Broken(f"{place}: {sorted(unseen)} hold secrets and are not references")
    for name in references:
        for secret in (*rig.secrets.values(), "env-without-colon", "vault:x", ""):
            _not_believed(rig, place, {**rig.settings, name: secret}, name)


def _refers(field: FieldInfo) -> bool:
    """Whether a setting is a reference to a secret, or may be none."""
    wanted = get_args(SecretRef)[1]
    inner = [extra for one in get_args(field.annotation) for extra in getattr(one, "__metadata__", ())]
    return wanted in (*field.metadata, *inner)


def _not_believed(rig: Rig, place: str, settings: dict[str, Any], name: str) -> None:
    try:
        rig.check(settings)
    except IsthmusError as error:
        if name not in str(error) or any(secret in str(error) for secret in rig.secrets.values()):
            raise Broken(f"{place}: the error does not name {name}, or shows a secret") from None
        return
    raise Broken(f"{place}: {name} = {settings[name][:12]!r}… was believed")


async def connecting_opens_no_connection(rig: Rig, role: str) -> None:
    """To connect asks nothing of the platform, and does not even need it to be there."""
    begun = rig.calls()
    rig.break_down(503)
    async with rig.connected():
        pass
    rig.mend()
    if rig.calls() != begun:
        raise Broken(f"{rig.connector.name} {role}: connecting sent {rig.calls() - begun} requests")
