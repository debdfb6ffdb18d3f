"""Notes rate, freshness and health four times a minute, so that a trend is there for whoever opens the page."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final

import structlog

from services.dashboard.backend import Backend
from services.dashboard.freshness import Reading
from services.dashboard.history import Sample

#: four for each bar of a trend, and no load while nobody looks
EVERY_S: Final = 15.0

_log = structlog.get_logger(__name__)


async def watch(connect: Callable[[], Backend]) -> None:
    """Adds to the backend's history until cancelled. The calls block, so each is made in a thread."""
    backend = await asyncio.to_thread(connect)
    while True:
        try:
            backend.history.add(await asyncio.to_thread(sample, backend))
        except Exception:
            # a trend with a gap is better than none from here on
            _log.exception("a sample failed")
        await asyncio.sleep(EVERY_S)


def sample(backend: Backend) -> Sample:
    """Asks the services how they are now. Never raises a PagePulseError."""
    generator, newest, pipeline = backend.generator(), backend.newest(), backend.pipeline()
    status = generator.value or {}
    running = status.get("state") == "running" and not generator.stale
    return Sample(
        at=time.time(),
        rate=float((status.get("achieved_rate") or {}).get("last_10s") or 0.0) if running else 0.0,
        freshness_ms=event_age(newest) if running else None,
        healthy=share_right(pipeline),
    )


def event_age(newest: Reading[int | None]) -> float | None:
    """Milliseconds from the newest event to the moment Pinot was asked; None if that is not known now."""
    if newest.stale or newest.value is None or newest.taken_at is None:
        return None
    return max(0.0, newest.taken_at * 1000 - newest.value)


def share_right(pipeline: Reading[dict[str, Any]]) -> float:
    """Share of the pipeline's resources that are as they should be, 0 to 1."""
    if pipeline.value is None or pipeline.stale:
        return 0.0
    resources = pipeline.value.get("resources") or []
    right = sum(1 for resource in resources if resource.get("state") == "ok")
    return right / len(resources) if resources else 0.0
