"""Puts the provisioner together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager, nullcontext

from fastapi import FastAPI

from services.provisioner import explore
from services.provisioner.api import router
from services.provisioner.metrics import ProvisionerCollector
from services.provisioner.pipeline import Servers, connect_servers
from services.provisioner.service import Provisioner
from services.provisioner.settings import Settings
from shared.tasks import TaskSet
from shared.web import create_service_app


def create_app(settings: Settings | None = None, servers: Servers | None = None) -> FastAPI:
    """The application. ``servers`` is the seam for tests."""
    settings = settings or Settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        opened = nullcontext(servers) if servers else connect_servers(settings)
        async with (
            opened as clients,
            TaskSet() as tasks,
            aclosing(Provisioner(settings, clients, tasks)) as provisioner,
        ):
            app.state.provisioner = provisioner
            app.state.registry.register(ProvisionerCollector(provisioner))
            tasks.start(provisioner.watcher.run(), "watch the pipeline")
            yield

    return create_service_app(
        name="provisioner",
        summary="Makes the pipeline on Kafka, Connect, ksqlDB and Pinot, watches it, and audits its results.",
        settings=settings,
        routers=[router, explore.router],
        lifespan=lifespan,
        checks=_checks,
    )


def _checks(app: FastAPI) -> Mapping[str, Callable[[], Awaitable[None]]]:
    provisioner: Provisioner = app.state.provisioner
    return provisioner.checks()
