"""Runs a service: uvicorn on uvloop, logs through structlog, a graceful end on SIGTERM and SIGINT."""

from __future__ import annotations

from typing import Any

import uvicorn

from shared.connections import bounded
from shared.logging import configure_logging
from shared.settings import ServiceSettings


def serve(factory: str, settings: ServiceSettings, *, name: str) -> None:
    """Serves the application that ``factory`` ("package.module:function") makes until the process is asked to end."""
    configure_logging(name, settings.log_level, settings.log_format)
    uvicorn.run(factory, factory=True, host=settings.host, port=settings.port, **options(settings))


def options(settings: ServiceSettings) -> dict[str, Any]:
    """uvicorn's options but the address: how it listens, and what it bounds."""
    return {
        "loop": "shared.event_loop:new_event_loop",
        "http": bounded(settings),
        "ws": "none",
        "h11_max_incomplete_event_size": settings.max_header_bytes,
        "log_config": None,
        "access_log": False,
        "timeout_graceful_shutdown": int(settings.shutdown_grace.total_seconds()),
    }
