"""Chromium, the dashboard, and a pipeline in which data flow."""

from __future__ import annotations

import os
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Playwright, sync_playwright

from tests.browser.driving import ARGUMENTS, CHROMIUM, Visit, eventually, visit
from tests.browser.system import TABLES, complete, rows, start
from tests.patience import STEP_S
from tests.stack import Stack


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="package")
def browser(playwright: Playwright) -> Iterator[Browser]:
    started = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
    yield started
    started.close()


@pytest.fixture
def dashboard(stack: Stack) -> str:
    return os.environ.get("PAGEPULSE_DASHBOARD_URL", stack.url("dashboard"))


@pytest.fixture
def flowing(stack: Stack) -> Iterator[None]:
    """The generator runs, every table has rows and a minute is over; afterwards it is stopped."""
    start(stack)
    for table in TABLES:
        eventually(lambda table=table: rows(stack, table) > 0, f"rows in {table}")  # type: ignore[misc]
    eventually(lambda: complete(stack), "a complete minute")
    yield
    httpx.post(f"{stack.url('generator')}/generator/stop", timeout=STEP_S)


@pytest.fixture
def visitor(browser: Browser, dashboard: str, flowing: None) -> Iterator[Visit]:
    """A visitor at 1280 x 800 in light; nothing in their browser may complain."""
    with visit(browser, dashboard) as visiting:
        visiting.open()
        yield visiting
    assert visiting.complaints == []
