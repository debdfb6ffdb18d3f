"""Puts the generator together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager

import httpx
from fastapi import FastAPI

from services.generator.api import router
from services.generator.controller import Controller
from services.generator.kafka import Broker, Kafka
from services.generator.metrics import GeneratorCollector
from services.generator.settings import Settings
from shared.concurrency_limit import ConcurrencyLimit
from shared.gc_tuning import tune_gc
from shared.http import call, create_client
from shared.web import create_service_app


def create_app(
    settings: Settings | None = None,
    broker: Broker | None = None,
    seeder_transport: httpx.AsyncBaseTransport | None = None,
) -> FastAPI:
    """The application. ``broker`` and ``seeder_transport`` are the seams for tests."""
    settings = settings or Settings()
    kafka = broker or Kafka(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with (
            create_client(settings.seeder_url, token=settings.api_token, transport=seeder_transport) as seeder,
            aclosing(Controller(settings, seeder, kafka)) as controller,
        ):
            app.state.subscribers = ConcurrencyLimit(settings.max_subscribers, "subscribers")
            app.state.controller, app.state.seeder, app.state.broker = controller, seeder, kafka
            app.state.registry.register(GeneratorCollector(controller))
            tune_gc()
            yield

    return create_service_app(
        name="generator",
        summary="Lifelike sessions and page views, at a rate that you can change while it runs.",
        settings=settings,
        routers=[router],
        lifespan=lifespan,
        checks=_checks,
    )


def _checks(app: FastAPI) -> Mapping[str, Callable[[], Awaitable[None]]]:
    async def seeder() -> None:
        await call(app.state.seeder, "GET", "/healthz", service="seeder")

    return {"kafka": app.state.broker.ping, "seeder": seeder}
