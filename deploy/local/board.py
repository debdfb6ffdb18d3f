"""The state of a run as one value: what the supervisor writes, what ``status``, ``up --detach`` and the live display read."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from deploy.local.component import Component


class Phase(StrEnum):
    """Where the run as a whole is. INCOMPLETE: the servers run, the pipeline could not be set up. FAILED: everything is stopped for it."""

    STARTING = "starting"
    SEEDING = "seeding"
    PROVISIONING = "provisioning"
    READY = "ready"
    INCOMPLETE = "incomplete"
    FAILED = "failed"
    STOPPING = "stopping"
    STOPPED = "stopped"


class Health(StrEnum):
    """Where one component is. UNSUPERVISED: it runs, its supervisor was killed."""

    WAITING = "waiting"
    PREPARING = "preparing"
    STARTING = "starting"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    RESTARTING = "restarting"
    FAILED = "failed"
    STOPPING = "stopping"
    STOPPED = "stopped"
    UNSUPERVISED = "unsupervised"


@dataclass(slots=True, kw_only=True)
class Line:
    """One component's line. ``seconds``: from its process's start to its first healthy answer."""

    name: str
    title: str = ""
    state: Health = Health.WAITING
    pid: int | None = None
    url: str | None = None
    log: str = ""
    seconds: float | None = None
    restarts: int = 0
    note: str = ""


@dataclass(slots=True)
class Board:
    """The whole run. Call ``changed`` after a change; listeners must be quick and must not raise."""

    options: Mapping[str, Any] = field(default_factory=dict)
    lines: dict[str, Line] = field(default_factory=dict)
    phase: Phase = Phase.STARTING
    detail: str = ""
    error: dict[str, Any] | None = None
    started_at: float = field(default_factory=time.time)
    ready_after: float | None = None
    listeners: list[Callable[[], None]] = field(default_factory=list, repr=False)

    @classmethod
    def of(cls, components: Iterable[Component], log_of: Callable[[str], Any], options: Mapping[str, Any]) -> Board:
        """A board on which every component waits."""
        lines = {
            c.name: Line(name=c.name, title=c.title or c.name, url=c.url, log=str(log_of(c.name))) for c in components
        }
        return cls(options=options, lines=lines)

    @classmethod
    def failed(cls, options: Mapping[str, Any], error: dict[str, Any]) -> Board:
        """The board of a run that failed before anything was started."""
        return cls(options=options, phase=Phase.FAILED, detail=error["reason"].splitlines()[0], error=error)

    @classmethod
    def read(cls, run: Mapping[str, Any]) -> Board:
        """The board from its published form."""
        lines = {
            name: Line(**{**line, "state": Health(line["state"])}) for name, line in run.get("components", {}).items()
        }
        return cls(
            options=run.get("options", {}),
            lines=lines,
            phase=Phase(run.get("phase", Phase.STOPPED)),
            detail=run.get("detail", ""),
            error=run.get("error"),
            started_at=run.get("started_at", 0.0),
            ready_after=run.get("ready_after"),
        )

    def publish(self) -> dict[str, Any]:
        """The published form: JSON types only."""
        return {
            "phase": self.phase,
            "detail": self.detail,
            "error": self.error,
            "started_at": self.started_at,
            "ready_after": self.ready_after,
            "options": dict(self.options),
            "components": {name: dataclasses.asdict(line) for name, line in self.lines.items()},
        }

    def changed(self) -> None:
        """Notifies the listeners."""
        for listener in self.listeners:
            listener()

    def enter(self, phase: Phase, detail: str = "") -> None:
        """Moves the run on."""
        self.phase, self.detail = phase, detail
        if phase is Phase.READY and self.ready_after is None:
            self.ready_after = round(time.time() - self.started_at, 1)
        self.changed()

    def unhealthy(self) -> list[Line]:
        """The components that are not healthy at this moment."""
        return [line for line in self.lines.values() if line.state is not Health.HEALTHY]

    def all_healthy(self) -> bool:
        """True if every component is healthy at this moment."""
        return not self.unhealthy()
