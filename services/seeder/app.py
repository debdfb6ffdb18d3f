"""Puts the seeder together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager

from fastapi import FastAPI

from services.seeder.api import router
from services.seeder.metrics import SeederCollector
from services.seeder.service import Seeder
from services.seeder.settings import Settings
from services.seeder.store import Store
from shared.tasks import TaskSet
from shared.web import create_service_app


def create_app(settings: Settings | None = None, store: Store | None = None) -> FastAPI:
    """The application. ``store`` is the seam for tests."""
    settings = settings or Settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with TaskSet() as tasks, aclosing(Seeder(settings, store or Store(settings))) as seeder:
            app.state.seeder = seeder
            app.state.registry.register(SeederCollector(seeder))
            tasks.start(seeder.store.warm_up(), "connect to the database")
            yield

    return create_service_app(
        name="seeder",
        summary="Makes the users of the pipeline, and keeps them changing.",
        settings=settings,
        routers=[router],
        lifespan=lifespan,
        checks=_checks,
    )


def _checks(app: FastAPI) -> Mapping[str, Callable[[], Awaitable[None]]]:
    seeder: Seeder = app.state.seeder
    return {"mysql": seeder.store.ping}
