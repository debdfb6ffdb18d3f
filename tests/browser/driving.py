"""A person at the dashboard: Chromium, what it complains about, and where things are on the pages."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

import httpx
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Request, Response, expect

from tests.patience import STEP_S, eventually_blocking
from tests.ports import free_port
from tests.stack import REPOSITORY

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
    "--disable-dev-shm-usage",
]
#: page -> the charts on it
PAGES = {
    "Overview": 3,
    "Audience": 5,
    "Sources": 3,
    "Engagement": 3,
    "Pipeline": 1,
    "Controls": 1,
    "Records": 0,
    "SQL": 0,
}
#: the list of the parts of the pipeline on the Overview
STRIP = "The flow of an event"
#: whatever the browser waits for: an element, a click that can be made, a page that is drawn
PATIENCE_MS = STEP_S * 1_000
expect.set_options(timeout=PATIENCE_MS)
#: of an address that shows soon what others change; the default is 15 s
QUERY = "?refresh=5s"
#: what every test of a page waits with
eventually = eventually_blocking

#: Streamlit looks for itself below the address it was opened with before it looks at the root
_PROBE = re.compile(r"/_stcore/(health|host-config)$")

#: a page that was left, and a network interface of the machine that came or went
_NOT_OURS = frozenset({"net::ERR_ABORTED", "net::ERR_NETWORK_CHANGED"})


@contextmanager
def streamlit_server(module: Sequence[str], port_variable: str, environment: Mapping[str, str]) -> Iterator[str]:
    """The URL of a server that ``python -m`` starts on a free port, which the environment variable names."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            return httpx.get(f"{url}/_stcore/health", timeout=STEP_S).is_success
        except httpx.TransportError:
            return False

    server = subprocess.Popen(
        [sys.executable, "-m", *module],
        cwd=REPOSITORY,
        env={**os.environ, **environment, port_variable: str(port)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        eventually(answers, "the server")
        yield url
    finally:
        server.terminate()
        server.wait(STEP_S)


@dataclass
class Visit:
    """One visit: the page, and everything that the browser complained about."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)

    @property
    def sidebar(self) -> Locator:
        return self.page.get_by_test_id("stSidebar")

    @property
    def main(self) -> Locator:
        return self.page.get_by_test_id("stMain")

    def open(self, query: str = "") -> None:
        """Opens the first page and waits until it is drawn."""
        self.page.goto(f"{self.url}/{query}")
        self.arrived("Overview")

    def go(self, title: str) -> None:
        """Chooses a page in the menu. On a phone the menu is behind a button."""
        link = self.sidebar.get_by_role("link", name=title)
        if not link.is_visible():
            self.page.get_by_test_id("stExpandSidebarButton").click()
        link.click()
        self.arrived(title)
        if self.page.viewport_size and self.page.viewport_size["width"] < 600:
            collapse = self.page.get_by_test_id("stSidebarCollapseButton").get_by_role("button")
            if collapse.is_visible():
                collapse.click()

    def arrive(self, title: str, query: str = "range=15m") -> None:
        """By a link straight to a page, until its charts are drawn."""
        self.page.goto(f"{self.url}/{'' if title == 'Overview' else title.lower()}?{query}")
        self.arrived(title)
        self.charts(PAGES[title])

    def arrived(self, title: str) -> None:
        expect(self.main.get_by_role("heading", level=1, name=title)).to_be_visible()
        expect(self.page.get_by_test_id("stAppViewContainer")).to_be_visible()

    def charts(self, count: int) -> list[list[dict[str, Any]]]:
        """The data of the charts of this page, as plotly has drawn them."""
        drawn = self.main.locator(".js-plotly-plot")
        expect(drawn).to_have_count(count)
        for number in range(count):
            expect(drawn.nth(number).locator(".main-svg").first).to_be_attached()
        # _fullData: what plotly made of the figure; the figure itself has its numbers packed
        read = """plots => plots.map(p => (p._fullData || []).map(
            t => ({name: t.name, y: Array.from(t.y || []), z: Array.from(t.z || [])})))"""
        return list(drawn.evaluate_all(read))

    def barriers(self, title: str, options: Mapping[str, Any] | None = None) -> list[str]:
        """What axe finds on the page, by its rules or those of ``options``, that is a barrier for somebody."""
        if self.page.evaluate("typeof axe") == "undefined":
            self.page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text())
        run = "options => axe.run({resultTypes: ['violations'], ...options}).then(r => r.violations)"
        return [
            f"{title}: {each['id']} ({each['impact']}): {each['nodes'][0]['html'][:200]}"
            for each in self.page.evaluate(run, options or {})
            if each["impact"] in ("serious", "critical")
        ]

    def metric(self, label: str) -> str:
        """The figure under this label."""
        tile = self.main.get_by_test_id("stMetric").filter(has_text=label).first
        return tile.get_by_test_id("stMetricValue").inner_text().strip()


def person(chromium: Browser) -> BrowserContext:
    """A browser of somebody in UTC who has not been here before."""
    context = chromium.new_context(timezone_id="UTC", locale="en-GB")
    context.set_default_timeout(PATIENCE_MS)
    return context


@contextmanager
def visit(
    browser: BrowserContext, url: str, *, width: int = 1280, height: int = 800, dark: bool = False
) -> Iterator[Visit]:
    """A tab of its own, closed afterwards. The browser keeps what it has fetched, as a person's does."""
    page = browser.new_page()
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme="dark" if dark else "light")
    visitor = Visit(page, url.rstrip("/"))

    def console(message: ConsoleMessage) -> None:
        # a response that failed is reported below, with its address
        if message.type == "error" and "Failed to load resource" not in message.text:
            visitor.complaints.append(f"console: {message.text}")

    def response(answer: Response) -> None:
        if answer.status >= 400 and not _PROBE.search(answer.url):
            visitor.complaints.append(f"{answer.status}: {answer.url}")

    page.on("console", console)
    page.on("response", response)
    page.on("pageerror", lambda error: visitor.complaints.append(f"script: {error}"))
    page.on("requestfailed", lambda request: visitor.complaints.extend(failure(request)))
    try:
        yield visitor
    finally:
        # an answer that is cut off because the visitor leaves is no complaint
        complaints = list(visitor.complaints)
        page.close()
        visitor.complaints[:] = complaints


def failure(request: Request) -> list[str]:
    """What is to be said of a request that failed. One that the browser gave up because the page was left is no failure."""
    return [] if request.failure in _NOT_OURS else [f"failed: {request.url} ({request.failure})"]


def pinot(broker: str, sql: str) -> list[list[Any]]:
    """The rows of a query."""
    answer = httpx.post(f"{broker}/query/sql", json={"sql": sql}, timeout=STEP_S).json()
    assert not answer.get("exceptions"), answer["exceptions"]
    return list(answer["resultTable"]["rows"])
