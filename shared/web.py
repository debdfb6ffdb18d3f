"""How every service's FastAPI application is put together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import APIRouter, Depends, FastAPI
from fastapi.openapi.utils import get_openapi
from prometheus_client import CollectorRegistry

from shared.errors import Problem, install_error_handlers
from shared.health import Checks, health_router, no_checks
from shared.requests import RequestIdMiddleware
from shared.security import require_token
from shared.settings import ServiceSettings

VERSION = "0.1.0"

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[Any]]


def create_service_app(
    *,
    name: str,
    title: str,
    summary: str,
    settings: ServiceSettings,
    routers: Sequence[APIRouter],
    lifespan: Lifespan | None = None,
    checks: Checks = no_checks,
    registry: CollectorRegistry | None = None,
) -> FastAPI:
    """An application with the service's ``routers`` behind the token, and health, readiness and metrics beside them.

    ``app.state`` has ``settings`` and ``registry``; a service's lifespan puts what it owns beside them.
    """
    registry = registry or CollectorRegistry()
    app = FastAPI(title=title, summary=summary, version=VERSION, lifespan=lifespan)
    app.state.name, app.state.settings, app.state.registry = name, settings, registry
    app.add_middleware(RequestIdMiddleware)
    install_error_handlers(app)
    app.include_router(health_router(checks, registry))
    guard = [Depends(require_token(settings.api_token))]
    for router in routers:
        app.include_router(router, dependencies=guard)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return app


def _openapi(app: FastAPI) -> dict[str, Any]:
    """FastAPI's document, with the problem schema that ``problem_responses`` refers to, and no default 422 schema left."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        schemas["Problem"] = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        for path in document["paths"].values():
            for operation in path.values():
                invalid = operation.get("responses", {}).get("422")
                if invalid and "application/json" in invalid.get("content", {}):
                    invalid["content"] = {
                        "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
                    }
        schemas.pop("HTTPValidationError", None)
        schemas.pop("ValidationError", None)
        app.openapi_schema = document
    return app.openapi_schema
