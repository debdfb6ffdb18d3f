"""Chromium, the dashboard, and a pipeline in which data flow."""

from __future__ import annotations

import os
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Playwright, sync_playwright

from tests.browser.driving import ARGUMENTS, CHROMIUM, QUERY, Visit, eventually, person, visit
from tests.browser.imitation import Imitation
from tests.browser.imitation import imitation as imitation_of_servers
from tests.browser.system import complete, rows, run
from tests.integration.comparison import DIMENSIONS
from tests.patience import STEP_S
from tests.stack import Stack


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="package")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    started = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
    yield started
    started.close()


@pytest.fixture(scope="package")
def browser(chromium: Browser) -> BrowserContext:
    """One for all tests: each has a tab of its own, and what the browser has fetched and compiled it has at hand."""
    return person(chromium)


@pytest.fixture
def new_browser(chromium: Browser) -> Iterator[BrowserContext]:
    """One that has fetched nothing yet."""
    context = person(chromium)
    yield context
    context.close()


@pytest.fixture(scope="package")
def imitation() -> Iterator[Imitation]:
    with imitation_of_servers() as running:
        yield running


@pytest.fixture
def imitated(imitation: Imitation) -> Imitation:
    """As it begins, whatever the test before has left."""
    imitation.reset()
    return imitation


@pytest.fixture
def visiting(browser: BrowserContext, imitated: Imitation) -> Iterator[Visit]:
    """A tab for the dashboard whose servers are imitated; nothing in it may complain."""
    with visit(browser, imitated.url) as found:
        yield found
    assert found.complaints == []


@pytest.fixture(scope="package")
def dashboard(stack: Stack) -> str:
    return os.environ.get("PAGEPULSE_DASHBOARD_URL", stack.url("dashboard"))


@pytest.fixture(scope="package")
def filled(stack: Stack) -> Iterator[None]:
    """Every table has rows, and a minute is over."""
    run(stack)
    for table in DIMENSIONS:
        eventually(lambda table=table: rows(stack, table) > 0, f"rows in {table}")  # type: ignore[misc]
    eventually(lambda: complete(stack), "a complete minute")
    yield
    httpx.post(f"{stack.url('generator')}/generator/stop", timeout=STEP_S)


@pytest.fixture
def flowing(stack: Stack, filled: None) -> None:
    """The generator runs as the tests expect it, whatever the test before has left."""
    run(stack)


@pytest.fixture
def tab(browser: BrowserContext, dashboard: str, flowing: None) -> Iterator[Visit]:
    """Of 1280 x 800 in light, without a page yet; nothing in it may complain."""
    with visit(browser, dashboard) as visiting:
        yield visiting
    assert visiting.complaints == []


@pytest.fixture
def visitor(tab: Visit) -> Visit:
    """At the first page."""
    tab.open(QUERY)
    return tab
