"""The load under a drill: events with every kind of flaw, users that change; whatever was cut off is started again."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import httpx

from benchmarks.drills.environment import Environment
from deploy.local.ports import PortName

_LOOK_S: Final = 0.2
#: for an answer while nothing is struck; under a fault the client's own, shorter time-out holds
_CALM_S: Final = 120.0
FLAWS: Final = {"late_fraction": 0.03, "duplicate_fraction": 0.01, "malformed_fraction": 0.01}
CHANGES: Final = {"updates_per_s": 2, "inserts_per_s": 0.5, "deletes_per_s": 0.2}

Status = dict[str, Any]


class Load:
    """``tend`` runs beside the drill. Each run of the generator is known by its start; the last status seen of a run whose process was
    killed gives a lower bound of what it had acknowledged."""

    def __init__(self, environment: Environment, rate: float) -> None:
        self._environment = environment
        self._request = {"rate": rate, **FLAWS}
        self._runs: dict[str, Status] = {}
        self._cut_off = 0
        self._going = False
        self.most_in_flight = 0
        self.flowing = False

    async def start(self) -> None:
        """Raises httpx.HTTPError: this is before the fault."""
        await self._post("generator", "/generator/start", self._request, timeout=_CALM_S)
        await self._post("seeder", "/seeder/mutations", CHANGES, timeout=_CALM_S)
        self._going = True

    async def stop(self) -> None:
        """Stops both; every event is accounted for afterwards."""
        self._going = False
        url = self._environment.ports.url("generator")
        answer = await self._environment.http.post(f"{url}/generator/stop", timeout=_CALM_S)
        answer.raise_for_status()
        self._note(answer.json())
        url = self._environment.ports.url("seeder")
        await self._environment.http.delete(f"{url}/seeder/mutations", timeout=_CALM_S)

    @property
    def acknowledged(self) -> int:
        return sum(run["acknowledged"] for run in self._runs.values())

    @property
    def sent(self) -> int | None:
        """All that can be in the topics; None if a run was cut off, so that nobody knows."""
        return None if self._cut_off else sum(run["sent"] for run in self._runs.values())

    @property
    def failed(self) -> int:
        return sum(sum(run["failed"].values()) for run in self._runs.values())

    async def tend(self) -> None:
        """Looks at both again and again, and starts what has stopped."""
        turn = 0
        while True:
            if self._going:
                try:
                    await self._tend_generator()
                    if turn % 5 == 0:
                        await self._tend_seeder()
                except httpx.HTTPError:
                    self.flowing = False
            turn += 1
            await asyncio.sleep(_LOOK_S)

    async def _tend_generator(self) -> None:
        status = await self._get("generator", "/generator/status")
        self._note(status)
        self.flowing = status["state"] == "running" and status["achieved_rate"]["last_1s"] > 0
        if status["state"] == "stopped" and self._going:
            await self._post("generator", "/generator/start", self._request)

    async def _tend_seeder(self) -> None:
        status = await self._get("seeder", "/seeder/status")
        mutations = status["mutations"]
        if self._going and not (mutations and mutations["running"]):
            await self._post("seeder", "/seeder/mutations", CHANGES)

    def _note(self, status: Status) -> None:
        begun = status["started_at"]
        if begun is None:
            return
        if self._runs and begun not in self._runs:
            last = self._runs[next(reversed(self._runs))]
            self._cut_off += last["state"] != "stopped"
        self._runs[begun] = status
        self.most_in_flight = max(self.most_in_flight, status["in_flight"])

    async def _get(self, service: PortName, path: str) -> Status:
        answer = await self._environment.http.get(self._environment.stack.url(service) + path, timeout=3)
        answer.raise_for_status()
        return dict(answer.json())

    async def _post(self, service: PortName, path: str, body: dict[str, Any], **options: Any) -> None:
        answer = await self._environment.http.post(self._environment.stack.url(service) + path, json=body, **options)
        answer.raise_for_status()
