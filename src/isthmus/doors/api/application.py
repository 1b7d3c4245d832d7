"""The API put together: key first, then the body, then the routes; and its description."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.types import ASGIApp

from isthmus.desk.desk import Desk
from isthmus.doors.access import Access
from isthmus.doors.api import reads, writes
from isthmus.doors.api.answers import READ, Error, Said
from isthmus.doors.api.once import Once
from isthmus.doors.errors import ANSWERED
from isthmus.doors.limits import Limits

_ABOUT = (
    "Reads and words on incidents. Every request but this description carries `Authorization: Bearer isk_…`. A write may "
    "carry `Idempotency-Key` (1-128 printable ASCII characters): the same request under the same key within a day is "
    "answered as the first time and not done again. Every error is an `Error`; times are RFC 3339."
)
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same request under the same key within a day is not done again.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 128},
}


def create(desk: Desk, clock: Callable[[], datetime], limits: Limits) -> ASGIApp:
    """Everything under /v1."""
    return Access(Once(routed(desk, clock), desk.store, clock, limits), desk, clock)


def routed(desk: Desk | None, clock: Callable[[], datetime] | None) -> FastAPI:
    """The routes alone. Without a desk they can be described, not asked."""
    app = FastAPI(
        title="Isthmus",
        version="1",
        description=_ABOUT,
        docs_url=None,
        redoc_url=None,
        exception_handlers=ANSWERED,
        redirect_slashes=False,
        # Nothing of a request leaves by another way because of a variable in the environment.
        telemetry={"auto_configure": False, "tracing": False, "metrics": False, "logs": False},
    )
    app.state.desk, app.state.clock = desk, clock
    app.include_router(reads.routes)
    app.include_router(writes.routes)
    app.openapi = lambda: described(app)  # type: ignore[method-assign]
    return app


def described(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI description, with the answers as they are really written."""
    if app.openapi_schema is None:
        whole = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        whole["servers"] = [{"url": "/v1"}]
        kinds = [*READ.values(), Said, Error]
        _, answers = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
        bodies = whole.setdefault("components", {}).setdefault("schemas", {})
        for name in ("HTTPValidationError", "ValidationError"):
            bodies.pop(name, None)
        bodies.update(answers)
        whole["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        whole["security"] = [{"key": []}]
        for path in whole["paths"].values():
            for method, operation in path.items():
                _describe(method, operation)
        app.openapi_schema = whole
    return app.openapi_schema


def _describe(method: str, operation: dict[str, Any]) -> None:
    name = operation["operationId"].split("_")[0]
    kind = READ[name] if method == "get" else Said
    operation["responses"] = {
        "200": {"description": "Done.", "content": _content(kind)},
        "default": {"description": "An error.", "content": _content(Error)},
    }
    if method == "post":
        operation.setdefault("parameters", []).append(_KEY)


def _content(kind: type[msgspec.Struct]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{kind.__name__}"}}}
