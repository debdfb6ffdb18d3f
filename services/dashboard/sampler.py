"""Notes rate, freshness and health four times a minute, so that a trend is there for whoever opens the page."""

from __future__ import annotations

import time
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Final

import structlog

from services.dashboard.freshness import Reading
from services.dashboard.history import Sample

if TYPE_CHECKING:
    from services.dashboard.backend import Backend

#: four for each bar of a trend, and no load while nobody looks
EVERY_S: Final = 15.0

_log = structlog.get_logger(__name__)


class Sampler:
    """A thread of its own. It ends with ``stop``, or with the process."""

    def __init__(self, backend: Backend, every_s: float = EVERY_S) -> None:
        self._backend = backend
        self._every_s = every_s
        self._stopped = Event()
        self._thread = Thread(target=self._run, name="sampler", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join(timeout=10)

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._backend.history.add(sample(self._backend))
            except Exception:
                # a trend with a gap is better than none from here on
                _log.exception("a sample failed")
            self._stopped.wait(self._every_s)


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
