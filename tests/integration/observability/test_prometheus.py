"""Every query of the boards gives data, and every alert rule can be evaluated, on what the services really publish."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.observability.scraping import Prometheus, running
from tests.patience import WORK_S, eventually
from tests.stack import Stack
from tests.unit.compose.observability import alerts, metrics, queries, scraped

_RATE = 200.0
#: what a machine with too much to do sets off rightly
_OF_A_BUSY_MACHINE = {"GeneratorBehind", "AcknowledgementsSlow"}

pytestmark = pytest.mark.stack


@asynccontextmanager
async def some_load(stack: Stack) -> AsyncIterator[None]:
    """The generator runs, and the provisioner has looked at the pipeline and audited it."""
    async with httpx.AsyncClient(timeout=WORK_S) as http:
        audited = await http.post(f"{stack.url('provisioner')}/provisioner/verify?wait=true")
        audited.raise_for_status()
        started = await http.post(f"{stack.url('generator')}/generator/start", json={"rate": _RATE})
        started.raise_for_status()
        (await http.get(f"{stack.url('provisioner')}/provisioner/status")).raise_for_status()
        try:
            yield
        finally:
            await http.post(f"{stack.url('generator')}/generator/stop")


async def without_data(prometheus: Prometheus) -> dict[str, str]:
    """The boards' queries that give nothing."""
    return {place: query for place, query in queries().items() if not await prometheus.query(query)}


async def test_boards_and_alerts_on_the_running_stack(stack: Stack, tmp_path: Path) -> None:
    async with some_load(stack), running(stack, tmp_path) as prometheus:
        missing: dict[str, str] = {}

        async def all_have_data() -> bool:
            nonlocal missing
            missing = await without_data(prometheus)
            return not missing

        await eventually(all_have_data, lambda: f"data for {missing}", every_s=0.5)

        async def all_are_up() -> bool:
            up = {sample["metric"]["job"]: sample["value"][1] for sample in await prometheus.query("up")}
            return up == dict.fromkeys(scraped(), "1")

        await eventually(all_are_up, "every service is scraped", every_s=0.5)

        # An alert that does not fire gives no data; so the metrics that it reads must be ones that are published.
        published = set(await prometheus.get("metadata"))
        for name, rule in alerts().items():
            await prometheus.query(rule["expr"])
            read = {metric.removesuffix("_bucket") for metric in metrics(rule["expr"])} - {"up"}
            assert read <= published, name

        rules: list[dict[str, Any]] = []
        firing: set[str] = set()

        async def none_fires() -> bool:
            nonlocal rules, firing
            rules = [rule for group in (await prometheus.get("rules"))["groups"] for rule in group["rules"]]
            firing = {rule["name"] for rule in rules if rule["state"] == "firing"} - _OF_A_BUSY_MACHINE
            return not firing

        # An alert ends with the next evaluation after its cause.
        await eventually(none_fires, lambda: f"no alert fires, but {firing} do", every_s=0.5)
        assert {rule["name"] for rule in rules} == set(alerts())
        assert {rule["name"]: rule["lastError"] for rule in rules if rule["health"] == "err"} == {}
