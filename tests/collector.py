"""The collector as a process of its own, with topics of its own if there are brokers."""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from aiokafka.admin import NewTopic

from shared.kafka import admin_client
from tests.integration.ksql.harness import read_all
from tests.patience import STEP_S, WORK_S, eventually
from tests.ports import free_port
from tests.stack import REPOSITORY

#: nobody listens there
NO_KAFKA = "127.0.0.1:1"


class CollectorProcess:
    """One collector, whose journal and log are in ``folder``. It may be started, ended and started again."""

    def __init__(self, folder: Path, bootstrap: str = NO_KAFKA) -> None:
        self.prefix = f"c{uuid4().hex[:8]}_"
        self.bootstrap = bootstrap
        self.journal = folder / "journal"
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.environment = {
            **os.environ,
            "PAGEPULSE_HOST": "127.0.0.1",
            "PAGEPULSE_PORT": str(port),
            "PAGEPULSE_KAFKA_BOOTSTRAP": bootstrap,
            "PAGEPULSE_JOURNAL": str(self.journal),
            "PAGEPULSE_COLLECTOR_ID": self.prefix,
            "PAGEPULSE_STATE_TOPIC": f"{self.prefix}state",
            "PAGEPULSE_PAGE_VIEW_TOPIC": f"{self.prefix}views",
            "PAGEPULSE_USER_SESSION_TOPIC": f"{self.prefix}logins",
            "PAGEPULSE_CLIENT_EVENTS_PER_MINUTE": "1000000",
        }
        self.log = folder / "collector.log"
        self.client = httpx.AsyncClient(base_url=self.url, timeout=STEP_S, trust_env=False)
        self.process: asyncio.subprocess.Process | None = None

    async def create_topics(self) -> None:
        async with admin_client(self.bootstrap) as admin:
            await admin.create_topics([NewTopic(f"{self.prefix}{name}", 5, 3) for name in ("views", "logins")])

    async def start(self, **environment: str) -> None:
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "services.collector", cwd=REPOSITORY, stdout=log, stderr=log,
                env=self.environment | environment,
            )  # fmt: skip
        await eventually(self._answers, lambda: self.log.read_text()[-3000:], WORK_S)

    async def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.returncode is None, self.log.read_text()[-3000:]
        try:
            return (await self.client.get("/healthz")).status_code == 200
        except httpx.TransportError:
            return False

    async def end(self, *, kill: bool = False) -> None:
        if self.process is not None and self.process.returncode is None:
            if kill:
                self.process.kill()
            else:
                self.process.terminate()
            await self.process.wait()

    async def all_published(self) -> None:
        async def nothing_waits() -> bool:
            status = (await self.client.get("/collect/status")).json()
            return status["waiting"] == 0 and status["last_error"] is None

        await eventually(nothing_waits, lambda: self.log.read_text()[-3000:], WORK_S)

    async def records(self, topic: str) -> list[dict[str, Any]]:
        return [json.loads(record.value) for record in await read_all(self.bootstrap, f"{self.prefix}{topic}")]

    def journalled(self) -> list[dict[str, Any]]:
        """The page views in the journal on disk, in order. An entry that is being written is none yet."""
        texts = [path.read_text() for path in sorted(self.journal.glob("*.log"))]
        lines = [line for text in texts for line in text[: text.rfind("\n") + 1].splitlines()]
        records = [record for line in lines for record in json.loads(line.partition(" ")[2])["records"]]
        return [json.loads(value) for topic, _, value in records if topic == f"{self.prefix}views"]

    async def clean_up(self) -> None:
        await self.end()
        await self.client.aclose()
        if self.bootstrap != NO_KAFKA:
            async with admin_client(self.bootstrap) as admin:
                await admin.delete_topics([t for t in await admin.list_topics() if t.startswith(self.prefix)])


def view(number: int, mark: str = "event") -> dict[str, Any]:
    """Its page carries its number, so that it can be found again; of 500 visits."""
    return {
        "id": f"{mark}-{number:08d}",
        "session": f"{mark}-visit-{number % 500:05d}",
        "url": f"https://shop.example/p/{number}",
    }


async def deliver(
    client: httpx.AsyncClient, batch: list[dict[str, Any]], dice: random.Random, refusals: list[Mapping[str, str]]
) -> None:
    """Sends as the tracker does: until it is acknowledged, and now and then once more. ``refusals``: the headers of answers 503."""
    acknowledged = 0
    while acknowledged == 0 or dice.random() < 0.2:
        try:
            answer = await client.post("/collect", content=json.dumps(batch), headers={"Content-Type": "text/plain"})
        except httpx.TransportError:
            await asyncio.sleep(0.05)
            continue
        if answer.status_code == 202:
            assert answer.json()["accepted"] == len(batch)
            acknowledged += 1
        else:
            assert answer.status_code in (429, 503), answer.text
            refusals.append(answer.headers)
            await asyncio.sleep(0.1)
