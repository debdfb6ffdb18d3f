"""Serves the application over HTTP/1.1 and over HTTP/2 without TLS: ksqlDB's clients speak either (so hypercorn, not uvicorn)."""

from __future__ import annotations

import asyncio
import logging
import signal

import uvloop
from hypercorn.asyncio import serve
from hypercorn.config import Config

from services.ksql.app import create_app
from services.ksql.settings import Settings
from shared.logging import configure_logging


def main() -> None:
    """Runs until SIGTERM or SIGINT."""
    settings = Settings()
    configure_logging("ksql", settings.log_level, settings.log_format)
    uvloop.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    config = Config()
    config.bind = [f"{settings.host}:{settings.port}"]
    config.accesslog = None
    config.errorlog = logging.getLogger("hypercorn.error")
    config.graceful_timeout = settings.shutdown_grace.total_seconds()
    # A push query may be silent for as long as nothing happens.
    config.keep_alive_timeout = 3600
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopping.set)

    async def stop() -> None:
        await stopping.wait()

    await serve(create_app(settings), config, shutdown_trigger=stop)  # type: ignore[arg-type]
