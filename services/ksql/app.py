"""The application of the embedded ksqlDB."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from prometheus_client import CollectorRegistry
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response

from services.ksql.api import router
from services.ksql.functions.python import load as load_functions
from services.ksql.metrics import RuntimeCollector
from services.ksql.rest.errors import RestError
from services.ksql.runtime.core import Core, CoreOptions
from services.ksql.runtime.kafka import KafkaBroker
from services.ksql.runtime.thread import Runtime, ThreadRuntime
from services.ksql.settings import Settings
from shared.concurrency_limit import ConcurrencyLimit
from shared.errors import Unavailable
from shared.json import dumps
from shared.web import create_service_app

_NOT_FOUND = "<html><body><h1>Resource not found</h1></body></html>"


def create_app(settings: Settings | None = None, *, runtime: Runtime | None = None) -> FastAPI:
    """The application; ``runtime`` is the seam for tests.

    Raises:
        ValueError: a module of ``settings.functions`` cannot be imported.
    """
    settings = settings or Settings()
    load_functions(settings.functions)
    runtime = runtime or thread_runtime(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await runtime.start()
        try:
            yield
        finally:
            await runtime.stop()

    registry = CollectorRegistry()
    app = create_service_app(
        name="ksql",
        summary="ksqlDB's REST API and SQL in one Python process, Kafka to Kafka, exactly once",
        settings=settings,
        routers=[router],
        lifespan=lifespan,
        checks=_checks,
        registry=registry,
        root="/info",  # as ksqlDB's
    )
    registry.register(RuntimeCollector(runtime))
    app.state.runtime = runtime
    app.state.open_queries = ConcurrencyLimit(settings.max_open_queries, "open queries")
    _install_ksql_errors(app)
    return app


def thread_runtime(settings: Settings, on_failure: Callable[[], None] = lambda: None) -> ThreadRuntime:
    """The runtime over real Kafka."""
    return ThreadRuntime(lambda: Core(KafkaBroker(settings.kafka_bootstrap), core_options(settings)), on_failure)


def core_options(settings: Settings) -> CoreOptions:
    """What the runtime needs of the settings."""
    return CoreOptions(
        service_id=settings.service_id,
        command_topic=settings.command_topic,
        state_topic=settings.state_topic,
        commit_interval=settings.commit_interval,
        max_event_time_ahead=settings.max_event_time_ahead,
        default_partitions=settings.default_partitions,
        push_backlog=settings.push_backlog,
        command_timeout=settings.command_timeout,
        rejected_topic=settings.rejected_topic,
    )


def _checks(app: FastAPI) -> Mapping[str, Callable[[], Awaitable[None]]]:
    runtime: Runtime = app.state.runtime

    async def engine() -> None:
        if not runtime.core.is_healthy:
            raise Unavailable(f"the engine is {runtime.core.query_manager.state.value}: it waits for Kafka")

    async def kafka() -> None:
        await runtime.call(runtime.core.broker.cluster_id)

    return {"engine": engine, "kafka": kafka}


def _install_ksql_errors(app: FastAPI) -> None:
    """ksqlDB's own error documents in place of problem details, which its clients do not know."""

    @app.exception_handler(RestError)
    async def refused(_: Request, error: RestError) -> Response:
        return Response(dumps(error.body), status_code=error.status, media_type="application/json")

    @app.exception_handler(HTTPException)
    async def http(_: Request, error: HTTPException) -> Response:
        if error.status_code == 404:
            return HTMLResponse(_NOT_FOUND, status_code=404)
        return Response(status_code=error.status_code, headers=error.headers)
