"""A real Prometheus that scrapes the local stack with the configuration of deploy/compose."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml  # type: ignore[import-untyped]

from tests.patience import STEP_S, eventually
from tests.ports import free_port
from tests.stack import Stack
from tests.unit.compose.observability import OBSERVABILITY, prometheus, scraped

#: a service may take as long for an answer, also on a busy machine
_SCRAPE = "3s"


def configuration(stack: Stack) -> dict[str, Any]:
    """The deployment's configuration with the local stack's addresses, and looking more often: a test is short."""
    document = copy.deepcopy(prometheus())
    document["global"] |= {"scrape_interval": _SCRAPE, "scrape_timeout": _SCRAPE, "evaluation_interval": "1s"}
    document["rule_files"] = [str(OBSERVABILITY / "rules" / "*.yml")]
    for job in document["scrape_configs"]:
        job.pop("dns_sd_configs", None)
        address = stack.url(scraped()[job["job_name"]].split(":")[0]).removeprefix("http://")  # type: ignore[arg-type]
        job["static_configs"] = [{"targets": [address]}]
    return document


class Prometheus:
    """Its HTTP API."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def get(self, path: str, **parameters: str) -> Any:
        """``data`` of an answer. Raises HTTPStatusError, e.g. for an expression that is none."""
        response = await self._http.get(f"/api/v1/{path}", params=parameters)
        response.raise_for_status()
        return response.json()["data"]

    async def query(self, expression: str) -> list[dict[str, Any]]:
        """The samples of an instant query, those that are no numbers left out."""
        found = (await self.get("query", query=expression))["result"]
        return [sample for sample in found if sample["value"][1] != "NaN"]


@asynccontextmanager
async def running(stack: Stack, folder: Path) -> AsyncIterator[Prometheus]:
    """Prometheus on a free loopback port, its data in ``folder``; ended with the block."""
    address = f"127.0.0.1:{free_port()}"
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration(stack)))
    arguments = (
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
    )
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec("prometheus", *arguments, stdout=log, stderr=log)
    try:
        async with httpx.AsyncClient(base_url=f"http://{address}", timeout=STEP_S) as http:

            async def ready() -> bool:
                assert process.returncode is None, (folder / "log").read_text()
                return await _ready(http)

            await eventually(ready, "a Prometheus that is ready")
            yield Prometheus(http)
    finally:
        if process.returncode is None:
            process.terminate()
        async with asyncio.timeout(STEP_S):
            await process.wait()


async def _ready(http: httpx.AsyncClient) -> bool:
    try:
        return (await http.get("/-/ready")).status_code == 200
    except httpx.TransportError:
        return False
