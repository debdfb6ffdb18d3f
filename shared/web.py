"""How every service's FastAPI application is put together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi_offline import FastAPIOffline
from prometheus_client import CollectorRegistry
from starlette.responses import RedirectResponse

from shared.concurrency_limit import ConcurrencyLimit
from shared.health import Checks, health_router, no_checks
from shared.limits import LimitMiddleware
from shared.openapi import describe
from shared.origins import OriginMiddleware
from shared.problems import install_error_handlers
from shared.request_id import RequestIdMiddleware
from shared.security import require_token
from shared.settings import ServiceSettings

VERSION = "0.1.0"

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[Any]]


def create_service_app(
    *,
    name: str,
    summary: str,
    settings: ServiceSettings,
    routers: Sequence[APIRouter],
    public_routers: Sequence[APIRouter] = (),
    public_paths: Sequence[str] = (),
    loopback_pages: bool = False,
    lifespan: Lifespan | None = None,
    checks: Checks = no_checks,
    registry: CollectorRegistry | None = None,
    root: str = "/docs",
) -> FastAPI:
    """An application with the service's ``routers`` behind the token, and health, readiness and metrics beside them.

    ``public_routers`` need no token. ``public_paths`` and ``loopback_pages``: which web pages may call, see ``OriginMiddleware``.
    ``root`` is where ``GET /`` leads.

    ``app.state`` has ``settings`` and ``registry``; a service's lifespan puts what it owns beside them.
    """
    registry = registry or CollectorRegistry()
    # its pages of documentation load their scripts from here, FastAPI's own load them from a public server
    app = FastAPIOffline(title=f"PagePulse {name}", summary=summary, version=VERSION, lifespan=lifespan)
    app.state.name, app.state.settings, app.state.registry = name, settings, registry
    # The last one added is the first one asked.
    app.add_middleware(LimitMiddleware, settings=settings)
    app.add_middleware(OriginMiddleware, settings=settings, public_paths=public_paths, loopback_pages=loopback_pages)
    app.add_middleware(RequestIdMiddleware)
    install_error_handlers(app)
    app.include_router(health_router(app, checks, registry))
    guard = [Depends(require_token(settings.api_token))]
    for router in public_routers:
        app.include_router(router)
    for router in routers:
        app.include_router(router, dependencies=guard)

    @app.get("/", include_in_schema=False)
    async def _root() -> RedirectResponse:
        return RedirectResponse(root)

    app.openapi = lambda: describe(app)  # type: ignore[method-assign]
    return app


def of_state(name: str) -> Any:
    """The dependency, for ``Annotated``, on what the lifespan put under ``app.state.<name>``."""

    async def dependency(request: Request) -> Any:
        return getattr(request.app.state, name)

    return Depends(dependency)


def slot_of(name: str) -> Any:
    """The dependency on a slot of the ``ConcurrencyLimit`` under ``app.state.<name>``, held until the answer has ended."""

    async def dependency(request: Request) -> AsyncIterator[None]:
        limit: ConcurrencyLimit = getattr(request.app.state, name)
        with limit.take():
            yield

    return Depends(dependency)
