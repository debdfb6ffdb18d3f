"""The errors of all services, under one root. ``problems`` answers them over HTTP, ``http`` raises those of a peer.

PagePulseError
├── BadRequest 400          the request is malformed
├── Unauthorized 401        a bearer token is needed
├── Forbidden 403           a web page of another origin, or an unknown host name
├── NotFound 404
├── MethodNotAllowed 405
├── TooSlow 408             the request took too long to arrive
├── Conflict 409            not possible in the current state
├── BodyTooLarge 413
├── TargetTooLong 414
├── UnsupportedMediaType 415
├── Unprocessable 422       a field is out of range
├── TooManyRequests 429
├── HeadTooLarge 431
├── UpstreamError 502       a server we depend on refused
│   └── TransientUpstreamError   refused now, likely to accept in a moment
├── Unavailable 503         a server we depend on cannot be reached
└── DeadlineExceeded 504    a server we depend on did not answer in time
"""

from __future__ import annotations

from typing import Any, ClassVar


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


class TransientUpstreamError(UpstreamError):
    type, title = "upstream-busy", "Upstream refused, retry later"


class Unavailable(PagePulseError):
    status, type, title = 503, "unavailable", "Upstream unavailable"


class DeadlineExceeded(PagePulseError):
    status, type, title = 504, "deadline-exceeded", "Upstream timeout"
