"""Reference pages made from the code. `python docs/generate.py` writes them, `--check` fails when one is out of date."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec
import of_api
import of_connectors
import typer
from pydantic import BaseModel

from isthmus import assembly, settings
from isthmus.act.guard.config import Freeze, GuardConfig, Protected
from isthmus.answer import document
from isthmus.doors.cli.main import app
from isthmus.plan.containment import ABILITIES

DOCS = Path(__file__).parent
MADE = "<!-- Made by docs/generate.py from the code; edit the code. -->\n"


def _type(kind: Any) -> str:
    name = str(kind).replace("typing.", "")
    for room in ("answer.document.", "answer.incident_view.", "doors.api.answers."):
        name = name.replace(f"isthmus.{room}", "")
    return (
        name.removeprefix("<class '").removesuffix("'>").replace("tuple[", "list of ").replace(", ...]", "").replace("|", "or")
    )


def _structs(root: Any, seen: list[Any]) -> list[Any]:
    """Every struct a document holds, outermost first."""
    for inner in (root, *get_args(root)):
        if inspect.isclass(inner) and issubclass(inner, msgspec.Struct) and inner not in seen:
            seen.append(inner)
            for field in msgspec.structs.fields(inner):
                _structs(field.type, seen)
        elif inner is not root:
            _structs(inner, seen)
    return seen


def triage_json() -> str:
    """The contract of `isthmus triage --format json`."""
    lines = [MADE, "# The triage document\n", f"`schema_version` {document.SCHEMA_VERSION}. {inspect.getdoc(document)}\n"]
    lines.append(
        "`--format json` writes one `TriageDocument`. `--format ndjson` writes its head as a first line with `type: triage` "
        "(everything but `incidents`), then one `IncidentRow` a line with `type: incident`. "
        "The points of `score_reasons` add up to `score`; every id in a `cites` names a fact of `facts`; ids are the same "
        "for the same events in any order.\n"
    )
    for struct in _structs(document.TriageDocument, []):
        lines.append(f"## {struct.__name__}\n\n{inspect.getdoc(struct)}\n\n| field | type |\n|---|---|")
        lines += [f"| `{field.name}` | {_type(field.type)} |" for field in msgspec.structs.fields(struct)]
        lines.append("")
    return "\n".join(lines)


def _settings_of(model: type[BaseModel], name: str) -> Iterator[str]:
    yield f"## {name}\n\n{inspect.getdoc(model)}\n\n| key | default | meaning |\n|---|---|---|"
    for key, field in model.model_fields.items():
        default = "required" if field.is_required() else str(field.get_default(call_default_factory=True)) or "empty"
        shown = default if len(default) < 90 else "see below"
        yield f"| `{key}` | `{shown}` | {field.description or ''} |"
    yield ""


def settings_page() -> str:
    """Every key of the settings file."""
    lines = [MADE, "# Settings\n", f"{inspect.getdoc(settings)}\n", "```yaml", EXAMPLE.strip(), "```\n"]
    for model, name in (
        (settings.Settings, "The file"),
        (settings.AccountSettings, "accounts.ID"),
        (settings.ExpectedSettings, "expected[]"),
        (settings.IntelSettings, "intel"),
        (settings.InstanceSettings, "instances.NAME"),
        (settings.ServerSettings, "server"),
        (settings.ClockSettings, "clocks"),
        (settings.RetentionSettings, "retention"),
        (GuardConfig, "The guard's own file"),
        (Protected, "protected[] (guard)"),
        (Freeze, "freezes[] (guard)"),
    ):
        lines += _settings_of(model, name)
    settings.parse(EXAMPLE, "the example")
    return "\n".join(lines)


EXAMPLE = """
accounts:
  "210987654321": {name: tidewater-prod, environment: production, owner: payments, criticality: high}
  "345678901234": {name: tidewater-dev, environment: development, owner: platform}
crown_jewels:
  - arn:aws:s3:::tidewater-claims
expected:
  - addresses: ["198.51.100.20"]
    until: 2026-12-31
    why: "yearly penetration test, ordered by the CISO"
instances:
  wiz-main:
    connector: wiz
    config:
      api_origin: https://api.eu1.app.wiz.io
      client_id: env:WIZ_CLIENT_ID
      client_secret: file:/run/secrets/wiz
  aws-dev:
    connector: aws
    config: {account: "345678901234", regions: [eu-west-1], profile: isthmus}
policy: policy/
guard: guard.yaml
"""


def _commands(command: Any, name: str) -> Iterator[str]:
    """Typer carries its own copy of click, so commands are known by what they have."""
    if hasattr(command, "commands"):
        for inner in sorted(command.commands):
            yield from _commands(command.commands[inner], f"{name} {inner}")
        return
    usage = command.get_usage(command.make_context(name, [], resilient_parsing=True)).removeprefix("Usage: ")
    yield f"## {name}\n\n{inspect.cleandoc(command.help or '')}\n\n```\n{usage}\n```\n\n| option | meaning |\n|---|---|"
    for parameter in command.params:
        shown = (
            ", ".join(parameter.opts)
            if parameter.param_type_name == "option"
            else parameter.metavar or str(parameter.name).upper()
        )
        yield f"| `{shown}` | {getattr(parameter, 'help', '') or ''} |"
    yield ""


def cli_page() -> str:
    """Every command and option."""
    return "\n".join([MADE, "# Commands\n", *_commands(typer.main.get_command(app), "isthmus")])


def abilities_page() -> str:
    """The closed list of what can be proposed."""
    lines = [
        MADE,
        "# Abilities\n",
        "Everything an action may name. Where a connector is named, it is carried out by it when policy, people and the guard "
        "let it; the others are proposed for people to do.\n",
        "| ability | on | against | takes away | can be undone | carried out by | what it does |",
        "|---|---|---|---|---|---|---|",
    ]
    hands = {name: one.name for one in assembly.catalogue() for permission in one.permissions for name in permission.abilities}
    for one in ABILITIES:
        kind, against = one.kind.value.replace("_", " "), ", ".join(sorted(one.against))
        undo = "yes" if one.undoable else "no"
        lines.append(f"| `{one.name}` | {kind} | {against} | {one.reach} | {undo} | {hands.get(one.name, '')} | {one.title} |")
    return "\n".join([*lines, ""])


def pages() -> dict[Path, str]:
    """Every page made from the code."""
    made = {
        DOCS / "reference" / "triage-json.md": triage_json(),
        DOCS / "reference" / "settings.md": settings_page(),
        DOCS / "reference" / "commands.md": cli_page(),
        DOCS / "reference" / "abilities.md": abilities_page(),
        DOCS / "reference" / "connectors.md": of_connectors.every(MADE),
        DOCS / "reference" / "api.md": of_api.page(MADE, _structs, _type),
    }
    how_to = DOCS / "how-to" / "connectors"
    return made | {how_to / f"{one.name}.md": of_connectors.page(one, MADE, _settings_of) for one in assembly.catalogue()}


def main() -> int:
    """Write the pages, or say which are out of date."""
    stale = [path for path, text in pages().items() if not path.exists() or path.read_text("utf-8") != text]
    if "--check" in sys.argv:
        for path in stale:
            print(f"out of date: {path.relative_to(DOCS.parent)}; run `make docs`")
        return 1 if stale else 0
    for path, text in pages().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
