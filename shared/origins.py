"""Cross-origin checks: rejects requests that web pages of other origins send to an API of the same machine or network.

Two checks. The Host must be an address or a known name: a page that lets its own name point to our address (DNS rebinding) comes
with its own name. And a request that a browser marks as coming from another site (Sec-Fetch-Site, or else Origin) is refused, but
for following a link. Programs send neither mark, and are not affected.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from shared.errors import Forbidden
from shared.problems import refuse
from shared.settings import ServiceSettings

#: the origin of a page that this machine serves, as a regular expression
LOOPBACK_ORIGIN = r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?"
_LOOPBACK = re.compile(LOOPBACK_ORIGIN)
#: of Sec-Fetch-Site: the service's own pages, and what a person typed
_OWN = ("same-origin", "none")
#: the headers that say where a request comes from
_MARKS = frozenset({b"origin", b"referer", b"sec-fetch-site", b"sec-fetch-mode"})
#: hosts whose check is remembered
_HOSTS = 256
_SAFE = ("GET", "HEAD", "OPTIONS")


class OriginMiddleware:
    """Pure ASGI; answers 403."""

    def __init__(
        self, app: ASGIApp, settings: ServiceSettings, *, public_paths: Sequence[str] = (), loopback_pages: bool = False
    ) -> None:
        """``public_paths`` may be loaded by any page; with ``loopback_pages`` every page of this machine may use the API."""
        self.app = app
        self._public_paths = frozenset(public_paths)
        self._loopback_pages = loopback_pages
        self._hosts = ("localhost", settings.host.lower(), *(name.lower() for name in settings.allowed_hosts))
        self._known = lru_cache(_HOSTS)(self._is_known)
        self._origins = frozenset(origin.lower().rstrip("/") for origin in settings.allowed_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            try:
                self._check(scope["method"], scope["path"], scope["headers"])
            except Forbidden as error:
                await refuse(error, scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _check(self, method: str, path: str, headers: Sequence[tuple[bytes, bytes]]) -> None:
        hosts = [value.decode("latin-1") for name, value in headers if name == b"host"]
        if len(hosts) != 1 or not self._known(hosts[0]):
            raise Forbidden(
                "The Host of the request is not a name of this service: use its address, or put the name into "
                "PAGEPULSE_ALLOWED_HOSTS."
            )
        if path in self._public_paths:
            return
        given = {name: value.decode("latin-1") for name, value in headers if name in _MARKS}
        origin, site = given.get(b"origin", "").lower(), given.get(b"sec-fetch-site")
        if not origin and site not in (None, *_OWN):
            # An image has no Origin; the page that shows it is its Referer.
            origin = origin_of(given.get(b"referer", ""))
        allowed = origin in self._origins or (self._loopback_pages and _LOOPBACK.fullmatch(origin) is not None)
        if allowed or self._is_own(method, hosts[0], origin, site, given.get(b"sec-fetch-mode")):
            return
        raise Forbidden(
            "A web page of another origin sent this request: put the origin into PAGEPULSE_ALLOWED_ORIGINS if it may."
        )

    def _is_known(self, host: str) -> bool:
        """An address cannot be rebound: a page of that origin came from here."""
        name = host_name(host)
        if name is None:
            return False
        return _is_address(name) or any(
            name.endswith(known[1:]) if known.startswith("*.") else name == known for known in self._hosts
        )

    @staticmethod
    def _is_own(method: str, host: str, origin: str, site: str | None, mode: str | None) -> bool:
        if site is not None:
            return site in _OWN or (method == "GET" and mode == "navigate")
        # Browsers without the mark send an Origin with whatever may change something.
        return not origin or method in _SAFE or origin in (f"http://{host.lower()}", f"https://{host.lower()}")


def origin_of(url: str) -> str:
    """Scheme, host and port of a page's address in lower case; empty if it has none."""
    try:
        parts = urlsplit(url.lower())
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme and parts.netloc else ""


def host_name(host: str) -> str | None:
    """The name in a Host header, without port, brackets and final dot; None if that is no host."""
    try:
        parts = urlsplit(f"//{host}")
        parts.port  # noqa: B018 - raises where it is none
    except ValueError:
        return None
    if parts.netloc != host or "@" in host or not parts.hostname:
        return None
    return parts.hostname.removesuffix(".")


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
