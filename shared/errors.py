"""One root error, one handler, one shape over HTTP: RFC 9457 problem details (``application/problem+json``).

PagePulseError
├── BadRequest 400          the request makes no sense as it is
├── Unauthorized 401        a bearer token is needed
├── Forbidden 403           a web page of another origin, or a name that is not ours
├── NotFound 404
├── MethodNotAllowed 405
├── TooSlow 408             the request took too long to arrive
├── Conflict 409            right request, wrong moment
├── BodyTooLarge 413
├── TargetTooLong 414
├── UnsupportedMediaType 415
├── Unprocessable 422       a field is out of range
├── TooManyRequests 429
├── HeadTooLarge 431
├── UpstreamError 502       a server we depend on refused
├── Unavailable 503         a server we depend on is away
└── DeadlineExceeded 504    a server we depend on was too slow
"""

from __future__ import annotations

from typing import Any, ClassVar

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import Receive, Scope, Send

from shared.json import dumps, renderable

PROBLEM_JSON = "application/problem+json"
#: faults of one request that are told
_TOLD = 20
#: characters of what the request said that are told again
_QUOTED = 300

_log = structlog.get_logger(__name__)


class PagePulseError(Exception):
    """The root. ``detail`` says what happened and what to do; ``extra`` become members of the problem document."""

    status: ClassVar[int] = 500
    type: ClassVar[str] = "internal-error"
    title: ClassVar[str] = "Internal error"

    def __init__(self, detail: str, **extra: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extra = extra


class BadRequest(PagePulseError):
    status, type, title = 400, "bad-request", "Bad request"


class Unauthorized(PagePulseError):
    status, type, title = 401, "unauthorized", "Bearer token required"


class Forbidden(PagePulseError):
    status, type, title = 403, "forbidden", "Cross-origin request rejected"


class NotFound(PagePulseError):
    status, type, title = 404, "not-found", "Not found"


class MethodNotAllowed(PagePulseError):
    status, type, title = 405, "method-not-allowed", "Method not allowed"


class TooSlow(PagePulseError):
    status, type, title = 408, "too-slow", "Request timeout"


class Conflict(PagePulseError):
    status, type, title = 409, "conflict", "Conflict with the current state"


class BodyTooLarge(PagePulseError):
    status, type, title = 413, "body-too-large", "Request body too large"


class TargetTooLong(PagePulseError):
    status, type, title = 414, "target-too-long", "Request target too long"


class UnsupportedMediaType(PagePulseError):
    status, type, title = 415, "unsupported-media-type", "Unsupported content type"


class Unprocessable(PagePulseError):
    status, type, title = 422, "invalid-input", "Invalid input"


class TooManyRequests(PagePulseError):
    status, type, title = 429, "too-many-requests", "Too many requests"


class HeadTooLarge(PagePulseError):
    status, type, title = 431, "head-too-large", "Request headers too large"


class UpstreamError(PagePulseError):
    status, type, title = 502, "upstream-error", "Upstream error"


class Unavailable(PagePulseError):
    status, type, title = 503, "unavailable", "Upstream unavailable"


class DeadlineExceeded(PagePulseError):
    status, type, title = 504, "deadline-exceeded", "Upstream timeout"


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
    """The answer of a middleware that does not let a request pass."""
    await problem_of(Request(scope), error)(scope, receive, send)


async def answer_unexpected(error: Exception, scope: Scope, receive: Receive, send: Send) -> None:
    """The answer to a request that failed by a defect of ours; the log has what it was."""
    _log.error("unhandled error", exc_info=error)
    await refuse(
        PagePulseError("An unexpected error; the service's log has it under this request id."), scope, receive, send
    )


def _methods(request: Request) -> list[str]:
    """What the path may be asked with: by all routes, where Starlette names the methods of the first one only."""
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
    """``text`` as it may stand in an answer: not endless, and valid Unicode (JSON can carry half a surrogate pair)."""
    return text[:_QUOTED].encode(errors="replace").decode()


def install_error_handlers(app: FastAPI) -> None:
    """Makes every failure of ``app`` a problem document; what nobody expected is ``RequestIdMiddleware``'s."""

    @app.exception_handler(PagePulseError)
    async def known(request: Request, error: PagePulseError) -> Response:
        if error.status >= 500:
            _log.warning("request failed", problem=error.type, detail=error.detail)
        return problem_of(request, error)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        if isinstance(error.body, bytes):  # it was not read as JSON, because it does not say that it is
            return _unsupported(request)
        fields = [
            {"field": _plain(".".join(map(str, e["loc"][1:])) or str(e["loc"][0])), "message": _plain(e["msg"])}
            for e in error.errors()[:_TOLD]
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
