"""The page about /v1 and deliveries, made from the application itself."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from isthmus import assembly
from isthmus.doors.api.answers import READ, Error, Said
from isthmus.doors.api.application import described, routed
from isthmus.doors.limits import Limits
from isthmus.doors.webhooks import Webhooks


def _fields(schema: dict[str, Any], whole: dict[str, Any]) -> Iterator[str]:
    """The fields of a body, by name, kind and meaning."""
    found = whole["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]]
    for name, field in found["properties"].items():
        needed = "yes" if name in found.get("required", ()) else "no"
        yield f"| `{name}` | {_kind(field)} | {needed} | {field.get('description', '')} |"


def _kind(field: dict[str, Any]) -> str:
    if "$ref" in field:
        return f"`{field['$ref'].rsplit('/', 1)[-1]}`"
    if "anyOf" in field:
        return " or ".join(_kind(one) for one in field["anyOf"] if one != {"type": "null"})
    if field.get("type") == "array":
        return f"list of {_kind(field['items'])}"
    kind = field.get("format") or field.get("type", "any")
    bounds = [f"at most {field[name]} characters" for name in ("maxLength",) if name in field]
    bounds += [f"{field['minimum']} to {field['maximum']}" for name in ("maximum",) if name in field]
    return ", ".join([kind, *bounds, *([f"`{field['pattern']}`"] if "pattern" in field else [])])


def _operation(method: str, path: str, told: dict[str, Any], whole: dict[str, Any]) -> Iterator[str]:
    yield f"### `{method.upper()} /v1{path}`\n\n{told['description']}\n"
    queries = [one for one in told.get("parameters", ()) if one["in"] == "query"]
    if queries:
        yield "| in the query | kind |\n|---|---|"
        yield from (f"| `{one['name']}` | {_kind(one['schema'])} |" for one in queries)
        yield ""
    if "requestBody" in told:
        body = told["requestBody"]["content"]["application/json"]["schema"]
        yield "| in the body | kind | needed | meaning |\n|---|---|---|---|"
        yield from _fields(body, whole)
        yield ""
    answer = told["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[-1]
    yield f"Answers `{answer}`.\n"


def page(made: str, structs_of: Callable[..., list[Any]], type_of: Callable[[Any], str]) -> str:
    """Every route of /v1, what deliveries must show, and the shape of every answer."""
    whole = described(routed(None, None))
    lines = [made, "# The API\n", f"{whole['info']['description']}\n", "The same as OpenAPI: `GET /v1/openapi.json`.\n"]
    for path, methods in whole["paths"].items():
        for method, told in methods.items():
            lines += _operation(method, path, told, whole)
    lines.append("## Answers\n")
    for struct in structs_of(tuple[(*READ.values(), Said, Error)], []):  # type: ignore[misc]
        lines.append(f"### {struct.__name__}\n\n{inspect.cleandoc(struct.__doc__ or '')}\n\n| field | type |\n|---|---|")
        lines += [f"| `{field.name}` | {type_of(field.type)} |" for field in msgspec.structs.fields(struct)]
        lines.append("")
    return "\n".join([*lines, *_deliveries()])


def _deliveries() -> Iterator[str]:
    yield f"## Deliveries\n\n{inspect.getdoc(Webhooks)} 202 means it is durable.\n"
    yield "| platform | shows its secret in | on its side |\n|---|---|---|"
    for one in assembly.catalogue():
        if one.webhook is not None:
            where = "the path" if one.webhook.in_path else f"`{one.webhook.header}: {one.webhook.prefix}…`"
            yield f"| {one.title} | {where} | {one.webhook.note} |"
    limits = Limits()
    yield (
        f"\nA body is JSON, uncompressed, of at most {limits.delivery} bytes, sent within {limits.seconds:g} seconds. "
        f"429 and 503 say in `Retry-After` when to come again: more than {limits.inbox} deliveries wait to be read, too much "
        "is being taken in at once, or the database is away. There is no rate limit per client yet.\n"
    )
