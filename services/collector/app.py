"""Puts the collector together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route

from services.collector.api import collect, public, router
from services.collector.metrics import CollectorMetrics
from services.collector.service import Collector
from services.collector.settings import Settings
from shared.gc_tuning import tune_gc
from shared.origins import LOOPBACK_ORIGIN
from shared.tasks import TaskSet
from shared.web import create_service_app


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application."""
    settings = settings or Settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        collector = Collector(settings)
        app.state.collector = collector
        app.state.registry.register(CollectorMetrics(collector))
        tune_gc()
        async with TaskSet() as tasks:
            collector.start(tasks)
            try:
                yield
            finally:
                collector.journal.close()

    app = create_service_app(
        name="collector",
        summary="Takes page views from web sites, keeps them safe, and sends them to Kafka exactly once.",
        settings=settings,
        routers=[router],
        public_routers=[public],
        #: a page elsewhere may load the script and the image; what it sends is checked by its origin
        public_paths=("/pagepulse.js",),
        loopback_pages=not settings.allowed_origins,
        lifespan=lifespan,
        checks=_checks,
    )
    # FastAPI's own way to `collect`, which documents it, costs as much as ten events.
    app.router.routes.insert(0, Route("/collect", collect, methods=["POST"]))
    app.add_middleware(
        CORSMiddleware,
        allow_origins=settings.allowed_origins,
        allow_origin_regex=None if settings.allowed_origins else LOOPBACK_ORIGIN,
        allow_methods=["POST"],
        allow_headers=["Content-Type"],
        max_age=600,
    )
    return app


def _checks(app: FastAPI) -> Mapping[str, Callable[[], Awaitable[None]]]:
    collector: Collector = app.state.collector
    return {"kafka": collector.publisher.check}
