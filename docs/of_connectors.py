"""Pages about connectors, made from what each declares."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from isthmus import assembly
from isthmus.contracts.connector import Connector
from isthmus.contracts.promises import played
from isthmus.contracts.wire import ConnectorConfig

_SHOULD_EXPORT = "## Take an export"


def page(one: Connector, made: str, settings_of: Callable[..., Iterator[str]]) -> str:
    """How to bring one vendor in: by export, by API, by webhook; what it must be allowed, what it cannot do."""
    lines = [made, f"# {one.title}\n"]
    if one.source.shapes:
        lines += _export(one)
    if one.config is not None:
        lines += _connect(one, one.config, settings_of)
    lines += ["## What this rests on\n", f"Checked against {one.proved_by}.\n"]
    return "\n".join(lines)


def _export(one: Connector) -> Iterator[str]:
    yield from (f"{_SHOULD_EXPORT}\n", f"{one.source.export_hint}\n")
    yield from (
        "```sh",
        f"isthmus triage {one.name}-export.json",
        "```\n",
        "No credentials are needed; nothing is sent anywhere.\n",
    )
    yield from ("## What is read\n", *(f"- {shape.name}" for shape in one.source.shapes), "")
    yield "## CSV\n"
    if one.source.csv_exports:
        yield from (*(f"- {export.title}" for export in one.source.csv_exports), "")
    else:
        yield "No CSV of this vendor is read; take the JSON.\n"
    yield from ("## What is recognised and refused\n", *sorted({f"- {denied.reason}" for denied in one.source.not_alerts}), "")


def _connect(one: Connector, config: type[ConnectorConfig], settings_of: Callable[..., Iterator[str]]) -> Iterator[str]:
    yield "## Connect it\n"
    yield "An instance in the settings file, under a name of your choice; secrets are references (`env:NAME`, `file:/path`).\n"
    required = [key for key, field in config.model_fields.items() if field.is_required()]
    yield from ("```yaml", "instances:", f"  {one.name}-main:", f"    connector: {one.name}", "    config:")
    yield from (*(f"      {key}: …" for key in required), "```\n")
    yield from settings_of(config, f"instances.{one.name}-main.config")
    if one.webhook is not None:
        yield from (
            "## Its webhook\n",
            f"`POST https://YOUR-HOST/in/{one.name}-main{'/SECRET' if one.webhook.in_path else ''}`\n",
        )
        yield f"{one.webhook.note}\n"
    if one.permissions:
        yield "## What it must be allowed\n\n| permission | why | abilities that need it |\n|---|---|---|"
        yield from (f"| `{row.name}` | {row.why} | {', '.join(row.abilities) or 'reading'} |" for row in one.permissions)
        yield ""
    if one.cannot:
        yield "## What it cannot do\n"
        yield from (f"- **{what}**: {why}" for what, why in one.cannot.items())
        yield ""


def every(made: str) -> str:
    """All vendors in one table."""
    lines = [made, "# Connectors\n", "| vendor | read from files | connected as | checked against |\n|---|---|---|---|"]
    for one in assembly.catalogue():
        shapes = ", ".join(shape.name for shape in one.source.shapes)
        lines.append(f"| [{one.title}](../how-to/connectors/{one.name}.md) | {shapes} | {_roles(one)} | {one.proved_by} |")
    return "\n".join([*lines, ""])


def _roles(one: Connector) -> str:
    if one.connect is None:
        return ""
    if played(one).queue is not None:
        return "queue"
    acts = any(row.abilities for row in one.permissions)
    told = [*(["webhook", "re-fetch"] if one.webhook else []), *(["inventory", "containment"] if acts else [])]
    return ", ".join(told or ["cases"])
