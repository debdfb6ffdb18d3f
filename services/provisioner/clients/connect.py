"""Kafka Connect's REST API (observed on Apache Kafka 4.1).

409 means "the workers are rebalancing" or "exists": both pass, so it is retried. ``PUT /connectors/{name}/config`` creates
or updates. A connector works only when it AND every task of it is RUNNING, which an accepted PUT does not say.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import stamina

from services.provisioner.clients.polling import wait_until
from services.provisioner.errors import raised_as
from shared.errors import Conflict, NotFound, TransientUpstreamError, UpstreamError
from shared.http import call

_SERVICE = "Kafka Connect"


@dataclass(frozen=True, slots=True)
class ConnectorStatus:
    """States as Connect words them: RUNNING, FAILED, PAUSED, STOPPED, UNASSIGNED; ``trace`` is the first failure's."""

    state: str
    tasks: tuple[str, ...]
    trace: str | None

    @property
    def running(self) -> bool:
        return self.state == "RUNNING" and bool(self.tasks) and all(task == "RUNNING" for task in self.tasks)

    @property
    def failed(self) -> bool:
        return "FAILED" in (self.state, *self.tasks)

    def describe(self) -> str:
        """E.g. ``connector RUNNING, tasks FAILED: java.net.ConnectException``."""
        text = f"connector {self.state}, tasks {', '.join(self.tasks) or 'none'}"
        return f"{text}: {self.trace}" if self.trace else text


class ConnectClient:
    """Talks to one Connect cluster."""

    def __init__(self, http: httpx.AsyncClient, *, patience: timedelta, poll_interval: timedelta) -> None:
        self._http = http
        self._patience = patience
        self._poll = poll_interval

    async def ping(self) -> None:
        """Raises as ``shared.http.call`` if Connect does not answer."""
        await call(self._http, "GET", "/", service=_SERVICE)

    async def config(self, name: str) -> dict[str, str] | None:
        """The connector's configuration as it runs, or None if there is no such connector."""
        try:
            response = await self._call("GET", f"/connectors/{name}/config")
        except NotFound:
            return None
        return {key: str(value) for key, value in response.json().items()}

    async def status(self, name: str) -> ConnectorStatus | None:
        """States of the connector and its tasks, or None while Connect knows none (also right after a creation)."""
        try:
            body: dict[str, Any] = (await self._call("GET", f"/connectors/{name}/status")).json()
        except NotFound:
            return None
        parts = [body["connector"], *body["tasks"]]
        trace = next((str(part["trace"]).splitlines()[0] for part in parts if part.get("trace")), None)
        return ConnectorStatus(
            state=body["connector"]["state"], tasks=tuple(task["state"] for task in body["tasks"]), trace=trace
        )

    async def put_config(self, name: str, config: dict[str, str]) -> None:
        """Creates or updates, then waits until connector and tasks run.

        Raises:
            UpstreamError: Connect refuses the configuration, or a task failed.
            NotReadyInTime: it does not come up.
        """
        await self._call("PUT", f"/connectors/{name}/config", json=config)
        await self.wait_running(name)

    async def restart_failed(self, name: str) -> None:
        """Restarts what failed, resumes what was paused or stopped, waits until all runs."""
        status = await self.status(name)
        if status is not None and status.state in ("PAUSED", "STOPPED"):
            await self._call("PUT", f"/connectors/{name}/resume")
        else:
            await self._call("POST", f"/connectors/{name}/restart", params={"includeTasks": "true"})
        await self.wait_running(name)

    async def wait_running(self, name: str) -> None:
        """Until RUNNING throughout; a failed task may still be the one before the restart, so only time ends the wait."""

        async def poll() -> str | None:
            status = await self.status(name)
            if status is None:
                return "Connect does not know it yet"
            return None if status.running else status.describe()

        await wait_until(poll, what=f"connector {name} does not run", within=self._patience, every=self._poll)

    async def delete(self, name: str, *, forget_offsets: bool) -> None:
        """Removes the connector, if there. With ``forget_offsets`` the next one of that name copies the table anew."""
        if forget_offsets and await self.config(name) is not None:
            await self._forget_offsets(name)
        try:
            await self._call("DELETE", f"/connectors/{name}")
        except NotFound:
            return

        async def poll() -> str | None:
            return None if await self.config(name) is None else "it is still listed"

        await wait_until(poll, what=f"connector {name} is not gone", within=self._patience, every=self._poll)

    async def _forget_offsets(self, name: str) -> None:
        """Offsets can be deleted only of a stopped connector, whose tasks need a moment to end."""
        await self._call("PUT", f"/connectors/{name}/stop")

        async def poll() -> str | None:
            status = await self.status(name)
            return None if status and status.state == "STOPPED" and not status.tasks else "it is stopping"

        await wait_until(poll, what=f"connector {name} does not stop", within=self._patience, every=self._poll)
        await self._call("DELETE", f"/connectors/{name}/offsets")

    async def _call(self, method: str, path: str, **options: Any) -> httpx.Response:
        async for attempt in stamina.retry_context(
            on=TransientUpstreamError, attempts=8, timeout=self._patience, wait_initial=0.1, wait_max=1.0
        ):
            with attempt, raised_as(TransientUpstreamError, Conflict):
                return await call(self._http, method, path, service=_SERVICE, **options)
        raise UpstreamError(f"{_SERVICE}: {method} {path} was not tried")
