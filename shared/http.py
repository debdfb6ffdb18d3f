"""REST calls of services, dashboard and command: a deadline on each, failures of the peer raised as our errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx

from shared.errors import (
    BadRequest,
    Conflict,
    DeadlineExceeded,
    NotFound,
    PagePulseError,
    Unavailable,
    Unprocessable,
    UpstreamError,
)

if TYPE_CHECKING:
    from pydantic import SecretStr

_BY_STATUS: dict[int, type[PagePulseError]] = {
    400: BadRequest,
    404: NotFound,
    409: Conflict,
    422: Unprocessable,
    503: Unavailable,
}


def create_client(
    base_url: str,
    *,
    timeout: timedelta = timedelta(seconds=5),
    token: SecretStr | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> httpx.AsyncClient:
    """A client for one server. ``transport`` is the seam for tests (httpx.MockTransport, ASGITransport)."""
    headers = {"Authorization": f"Bearer {token.get_secret_value()}"} if token else {}
    return httpx.AsyncClient(base_url=base_url, timeout=timeout.total_seconds(), headers=headers, transport=transport)


async def request(client: httpx.AsyncClient, method: str, path: str, *, service: str, **options: Any) -> httpx.Response:
    """The answer of ``service`` (its name, for messages), whatever its status; ``options`` are httpx's.

    Raises:
        Unavailable: no connection.
        DeadlineExceeded: no answer in time.
    """
    with translate_transport_errors(client.base_url, method, path, service=service):
        return await client.request(method, path, **options)


@contextmanager
def translate_transport_errors(base_url: httpx.URL | str, method: str, path: str, *, service: str) -> Iterator[None]:
    """For the request inside, also one of a synchronous client. Raises as ``request``."""
    at = f"{service} at {str(httpx.URL(base_url).join(path).join('/')).rstrip('/')}"
    try:
        yield
    except httpx.TimeoutException as error:
        raise DeadlineExceeded(f"{at} did not answer {method} {path} in time", service=service) from error
    except httpx.TransportError as error:
        reason = str(error) or type(error).__name__
        raise Unavailable(f"{at} cannot be reached: {reason}", service=service) from error


async def call(client: httpx.AsyncClient, method: str, path: str, *, service: str, **options: Any) -> httpx.Response:
    """A successful answer. Raises as ``request`` and, for 4xx and 5xx, as ``raise_for_problem``."""
    response = await request(client, method, path, service=service, **options)
    raise_for_problem(response, service=service)
    return response


def raise_for_problem(response: httpx.Response, *, service: str) -> None:
    """Raises our error of the same status for a 4xx or 5xx answer of ``service`` (502 for other statuses).

    Its ``extra`` has ``service`` and ``upstream_status``.
    """
    if response.is_success:
        return
    error_type = _BY_STATUS.get(response.status_code, UpstreamError)
    raise error_type(f"{service}: {problem_text(response)}", service=service, upstream_status=response.status_code)


def problem_text(response: httpx.Response) -> str:
    """The reason in an error's body: problem+json's detail, ksqlDB's and Connect's message, Pinot's error, else its text."""
    try:
        body = response.json()
    except ValueError:
        return response.text[:500] or f"HTTP {response.status_code}"
    if isinstance(body, dict):
        for name in ("detail", "message", "error", "title"):
            if isinstance(body.get(name), str) and body[name]:
                return str(body[name])
    return response.text[:500]
