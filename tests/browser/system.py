"""What the services say of themselves, beside the browser: their states, and the numbers in Pinot."""

from __future__ import annotations

import time
from typing import Any

import httpx

from deploy.local.ports import PortName
from tests.browser.driving import pinot_number
from tests.patience import STEP_S
from tests.stack import Stack

#: enough for numbers that change at each refresh; what is spared is the browser's
RATE = 50


def run(stack: Stack) -> None:
    """The generator runs at ``RATE`` with no profile, also if a test has paused it or changed either."""
    with httpx.Client(base_url=stack.url("generator"), timeout=STEP_S) as generator:
        answer = generator.post("/generator/start", json={"rate": RATE})
        assert answer.status_code in (200, 409), answer.text
        if answer.is_success:
            return
        now = generator.get("/generator/status").json()
        if now["state"] == "paused":
            generator.post("/generator/resume").raise_for_status()
        if now["profile"]["kind"] != "constant":
            generator.put("/generator/profile", json={"profile": {"kind": "constant"}}).raise_for_status()
        if now["target_rate"] != RATE:
            generator.put("/generator/rate", json={"rate": RATE}).raise_for_status()


def status(stack: Stack, service: PortName = "generator") -> dict[str, Any]:
    return dict(httpx.get(f"{stack.url(service)}/{service}/status", timeout=STEP_S).json())


def state(stack: Stack) -> str:
    return str(status(stack)["state"])


def rows(stack: Stack, table: str) -> int:
    return pinot_number(stack.url("pinot_broker"), f"SELECT COUNT(*) FROM {table} LIMIT 1")


def complete(stack: Stack) -> bool:
    """Whether a minute of page views is over: some charts leave out the open one."""
    sql = f"SELECT COUNT(*) FROM pageview_tumbling WHERE window_end <= {int(time.time() * 1000)} LIMIT 1"
    return pinot_number(stack.url("pinot_broker"), sql) > 0


def total(stack: Stack, column: str, table: str) -> int:
    midnight = int(time.time() // 86_400 * 86_400_000)
    sql = f"SELECT SUM({column}) FROM {table} WHERE window_start >= {midnight} LIMIT 1"
    return pinot_number(stack.url("pinot_broker"), sql)
