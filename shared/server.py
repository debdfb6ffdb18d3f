"""Runs a service: uvicorn on uvloop, logs through structlog, a graceful end on SIGTERM and SIGINT."""

from __future__ import annotations

import uvicorn

from shared.logging import configure_logging
from shared.settings import ServiceSettings


def serve(factory: str, settings: ServiceSettings, *, name: str) -> None:
    """Serves the application that ``factory`` ("package.module:function") makes until the process is told to end."""
    configure_logging(name, settings.log_level, settings.log_format)
    uvicorn.run(
        factory,
        factory=True,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=int(settings.shutdown_grace.total_seconds()),
    )
