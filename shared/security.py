"""The optional bearer token of the control planes."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable

from fastapi import Request
from pydantic import SecretStr

from shared.errors import Unauthorized


def require_token(token: SecretStr | None) -> Callable[[Request], Awaitable[None]]:
    """A dependency that lets a request pass if it carries ``token`` (compared in constant time), or if none is set."""

    async def check(request: Request) -> None:
        if token is None:
            return
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.encode(), token.get_secret_value().encode()):
            raise Unauthorized("Send the header Authorization: Bearer <PAGEPULSE_API_TOKEN>.")

    return check
