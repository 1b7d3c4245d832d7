"""What Wiz's GraphQL replies say: data, records, pages, or an error with a code."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from isthmus.contracts.wire import Reply
from isthmus.model.errors import Refused, Unreachable

_WHY = {
    "UNAUTHENTICATED": "the token is not accepted",
    "UNAUTHORIZED": "the service account lacks a permission for this",
    "FORBIDDEN_IP": "Wiz takes no calls from this address; allow it in Wiz's network settings",
    "NOT_FOUND": "Wiz does not know it",
    "BAD_USER_INPUT": "Wiz does not take this question",
    "GRAPHQL_VALIDATION_FAILED": "this tenant's API does not have what was asked for",
}
_LATER = {"RATE_LIMIT_EXCEEDED": "too many calls for now", "INTERNAL": "an error inside Wiz"}
_LONGEST_CURSOR = 8_192
_STRANGE = "Wiz answered in a form that is not known"


class Said(Refused):
    """Wiz answered with an error it will answer again; `code` is its name for it."""

    def __init__(self, code: str) -> None:
        super().__init__(f"Wiz refuses: {_WHY[code]} ({code})")
        self.code = code


@dataclass(frozen=True, slots=True)
class Answer:
    """The data of a reply, and the moment Wiz's own clock gave with it."""

    data: dict[str, Any]
    at: datetime | None


def answered(reply: Reply) -> dict[str, Any]:
    """The data of a reply without errors. A reply with both is not half-read. Raises `Said` or `Unreachable`."""
    body = reply.json()
    if not isinstance(body, dict):
        raise Unreachable(_STRANGE)
    codes = _codes(body.get("errors"))
    # Passing trouble first: with it, a refusal in the same reply may be passing too.
    for code in codes:
        if code not in _WHY:
            raise Unreachable(f"Wiz cannot answer now: {_LATER.get(code, 'an error with a code that is not known')}")
    if codes:
        raise Said(codes[0])
    data = body.get("data")
    if not isinstance(data, dict):
        raise Unreachable(_STRANGE)
    return data


def _codes(errors: Any) -> list[str]:
    if errors is None:
        return []
    if not isinstance(errors, list):
        return [""]
    return [_code(error) for error in errors]


def _code(error: Any) -> str:
    extensions = error.get("extensions") if isinstance(error, dict) else None
    code = extensions.get("code") if isinstance(extensions, dict) else None
    return code if isinstance(code, str) else ""


def records(data: dict[str, Any], root: str) -> list[dict[str, Any]]:
    """The records under a key of the reply: the nodes of a list, or the one record; none for null."""
    value = data.get(root)
    if value is None:
        return []
    if not isinstance(value, dict):
        raise Unreachable(_STRANGE)
    nodes = value.get("nodes", [value])
    if not isinstance(nodes, list) or not all(isinstance(node, dict) for node in nodes):
        raise Unreachable(_STRANGE)
    return nodes


def next_page(data: dict[str, Any], root: str) -> str:
    """Wiz's cursor of the page that follows; empty after the last. Raises `Unreachable` when it cannot be told."""
    value = data.get(root)
    info = value.get("pageInfo") if isinstance(value, dict) else None
    if not isinstance(info, dict) or not isinstance(info.get("hasNextPage"), bool):
        raise Unreachable(_STRANGE)
    if not info["hasNextPage"]:
        return ""
    end = info.get("endCursor")
    if not isinstance(end, str) or not 0 < len(end) <= _LONGEST_CURSOR:
        raise Unreachable("Wiz says there is more and not where")
    return end
