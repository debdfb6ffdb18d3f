"""Puts the provisioner together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI

from services.provisioner.api import router
from services.provisioner.pipeline import connect_servers
from services.provisioner.service import Provisioner
from services.provisioner.settings import Settings
from shared.tasks import TaskSet
from shared.web import create_service_app


def create_app(settings: Settings | None = None, transport: httpx.AsyncBaseTransport | None = None) -> FastAPI:
    """The application. ``transport`` stands in for Connect, ksqlDB and Pinot in tests."""
    settings = settings or Settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with connect_servers(settings, transport) as servers, TaskSet() as tasks:
            app.state.provisioner = Provisioner(settings, servers, tasks)
            yield

    return create_service_app(
        name="provisioner",
        title="PagePulse provisioner",
        summary="Makes the pipeline on Kafka, Connect, ksqlDB and Pinot, watches it, and audits its results.",
        settings=settings,
        routers=[router],
        lifespan=lifespan,
        checks=_checks,
    )


def _checks(app: FastAPI) -> Mapping[str, Callable[[], Awaitable[None]]]:
    provisioner: Provisioner = app.state.provisioner
    return provisioner.checks()
