"""Errors over HTTP: RFC 9457 problem details (``application/problem+json``), one handler for all services."""

from __future__ import annotations

from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import Receive, Scope, Send

from shared.errors import MethodNotAllowed, PagePulseError, Unprocessable, UnsupportedMediaType
from shared.json import dumps, renderable

PROBLEM_JSON = "application/problem+json"
#: invalid fields of one request that are listed
_LISTED = 20
#: characters of the request that are quoted
_QUOTED = 300

_log = structlog.get_logger(__name__)


class Problem(BaseModel):
    """Problem details as of RFC 9457. ``type`` is stable: clients may switch on it."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="Stable name of the kind of problem", examples=["conflict"])
    title: str = Field(description="Short summary, the same for every problem of this type")
    status: int = Field(description="The HTTP status", examples=[409])
    detail: str = Field(description="What happened here, and what to do")
    instance: str = Field(description="Path of the request", examples=["/generator/start"])
    request_id: str | None = Field(default=None, description="Also in the header X-Request-ID and in the logs")


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The ``responses=`` of a route that may answer with these problems; 422 is always among them."""
    titles = {cls.status: cls.title for cls in PagePulseError.__subclasses__()}
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {"description": titles.get(status, PagePulseError.title), "content": {PROBLEM_JSON: {"schema": schema}}}
        for status in sorted({*statuses, 422})
    }


def problem(request: Request, status: int, type_: str, title: str, detail: str, **extra: Any) -> Response:
    """The response for one problem."""
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    path = request.scope["path"]
    body = {**extra, "type": type_, "title": title, "status": status, "detail": detail, "instance": path}
    if request_id:
        body["request_id"] = request_id
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    if "retry_after_s" in extra:
        headers["Retry-After"] = str(extra["retry_after_s"])
    return Response(dumps(renderable(body)), status_code=status, media_type=PROBLEM_JSON, headers=headers)


def problem_of(request: Request, error: PagePulseError) -> Response:
    """The response for ``error``."""
    return problem(request, error.status, error.type, error.title, error.detail, **error.extra)


async def refuse(error: PagePulseError, scope: Scope, receive: Receive, send: Send) -> None:
    """The response of a middleware that rejects a request."""
    await problem_of(Request(scope), error)(scope, receive, send)


async def answer_unexpected(error: Exception, scope: Scope, receive: Receive, send: Send) -> None:
    """The response after an unexpected exception, which is logged."""
    _log.error("unhandled error", exc_info=error)
    await refuse(
        PagePulseError("An unexpected error; the service's log has it under this request id."), scope, receive, send
    )


def _methods(request: Request) -> list[str]:
    """Methods of the path over all routes; Starlette names those of the first one only."""
    return [
        method
        for method in ("DELETE", "GET", "PATCH", "POST", "PUT")
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in request.app.routes)
    ]


def _not_allowed(request: Request) -> Response:
    methods = ", ".join(_methods(request))
    detail = f"{request.method} {request.scope['path']} is not possible; this path takes {methods}."
    response = problem_of(request, MethodNotAllowed(detail))
    response.headers["Allow"] = methods
    return response


def _unsupported(request: Request) -> Response:
    named = request.headers.get("content-type")
    said = f"The body's content type is {_plain(named)}" if named else "The body has no content type"
    needed = "content-type: application/json"
    detail = f"{said}; it must be application/json. Add the header '{needed}' (with curl: -H '{needed}')."
    response = problem_of(request, UnsupportedMediaType(detail))
    response.headers["Accept"] = "application/json"
    return response


def _plain(text: str) -> str:
    """``text`` bounded and as valid Unicode (JSON can carry half a surrogate pair)."""
    return text[:_QUOTED].encode(errors="replace").decode()


def install_error_handlers(app: FastAPI) -> None:
    """Makes every failure of ``app`` a problem document; unexpected exceptions are handled by ``RequestIdMiddleware``."""

    @app.exception_handler(PagePulseError)
    async def known(request: Request, error: PagePulseError) -> Response:
        if error.status >= 500:
            _log.warning("request failed", problem=error.type, detail=error.detail)
        return problem_of(request, error)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        if isinstance(error.body, bytes):  # not parsed: its content type is not JSON
            return _unsupported(request)
        fields = [
            {"field": _plain(".".join(map(str, e["loc"][1:])) or str(e["loc"][0])), "message": _plain(e["msg"])}
            for e in error.errors()[:_LISTED]
        ]
        detail = "; ".join(f"{f['field']}: {f['message']}" for f in fields)
        return problem(request, 422, Unprocessable.type, Unprocessable.title, detail, errors=fields)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        if error.status_code == 405:
            return _not_allowed(request)
        types = {cls.status: cls for cls in PagePulseError.__subclasses__()}
        known_type = types.get(error.status_code)
        response = problem(
            request,
            error.status_code,
            known_type.type if known_type else "http-error",
            known_type.title if known_type else str(error.detail),
            f"{request.method} {request.scope['path']}: {error.detail}",
        )
        response.headers.update(error.headers or {})
        return response
