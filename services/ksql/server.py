"""Serves the application over HTTP/1.1 and over HTTP/2 without TLS: ksqlDB's clients speak either (so hypercorn, not uvicorn)."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys

import uvloop
from hypercorn.asyncio import serve
from hypercorn.config import Config

from services.ksql.app import create_app, thread_runtime
from services.ksql.settings import Settings
from shared.event_loop import new_event_loop
from shared.gc_tuning import tune_gc
from shared.logging import configure_logging


def main() -> None:
    """Runs until SIGTERM or SIGINT; exits with 1 if the engine ended by an error, so that a supervisor restarts it."""
    settings = Settings()
    configure_logging("ksql", settings.log_level, settings.log_format)
    tune_gc()
    sys.exit(uvloop.run(_serve(settings), loop_factory=new_event_loop))


async def _serve(settings: Settings) -> int:
    stopping, loop = asyncio.Event(), asyncio.get_running_loop()
    failures: list[bool] = []
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopping.set)

    def failed() -> None:
        failures.append(True)
        loop.call_soon_threadsafe(stopping.set)

    async def stop() -> None:
        await stopping.wait()

    app = create_app(settings, runtime=thread_runtime(settings, failed))
    await serve(app, _config(settings), shutdown_trigger=stop)  # type: ignore[arg-type]
    return 1 if failures else 0


def _config(settings: Settings) -> Config:
    config = Config()
    config.bind = [f"{settings.host}:{settings.port}"]
    config.accesslog = None
    config.errorlog = logging.getLogger("hypercorn.error")
    config.graceful_timeout = settings.shutdown_grace.total_seconds()
    # From the opening of a connection, and from the end of its last request, to the end of the next one's head. A push query is a
    # request that goes on, so it may be silent for as long as nothing happens.
    config.keep_alive_timeout = settings.arrival_deadline.total_seconds()
    config.h11_max_incomplete_size = config.h2_max_header_list_size = settings.max_header_bytes
    return config
