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
from math import isfinite
from typing import Any

import httpx
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Error, Locator, Page, Request, Response, expect

from tests.patience import STEP_S, WORK_S, eventually_blocking
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

#: a network interface came or went, as when a container starts: Chromium gives up all that it is fetching, also from loopback
_CUT_OFF = "net::ERR_NETWORK_CHANGED"
#: that, and a page that was left
_NOT_OURS = frozenset({"net::ERR_ABORTED", _CUT_OFF})
#: what a page says after it was cut off (it loads itself again)
_CONSEQUENCES = re.compile(rf"{_CUT_OFF}|dynamically imported module|Unable to preload|WebSocket connection to")
#: a connection took longer than Streamlit waits; it connects again
_SLOW = "WebSocket is closed before the connection is established"


@contextmanager
def streamlit_server(module: Sequence[str], port_variable: str, environment: Mapping[str, str]) -> Iterator[str]:
    """The URL of a server that ``python -m`` starts on a free port, which the environment variable names."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    server = subprocess.Popen(
        [sys.executable, "-m", *module],
        cwd=REPOSITORY,
        env={**os.environ, **environment, port_variable: str(port)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def answers() -> bool:
        assert server.poll() is None, f"the server ended with exit code {server.returncode}"
        try:
            return httpx.get(f"{url}/_stcore/health", timeout=STEP_S).is_success
        except httpx.TransportError:
            return False

    try:
        eventually(answers, "the server", within_s=WORK_S)
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
    #: whether requests were cut off by a change of the machine's network
    cut_off: bool = False

    def complain(self, words: str) -> None:
        """Keeps a complaint, unless it is about the machine and not about the page."""
        if _SLOW not in words and not (self.cut_off and _CONSEQUENCES.search(words)):
            self.complaints.append(words)

    @property
    def sidebar(self) -> Locator:
        return self.page.get_by_test_id("stSidebar")

    @property
    def main(self) -> Locator:
        return self.page.get_by_test_id("stMain")

    def open(self, query: str = "") -> None:
        """Opens the first page and waits until it is drawn."""
        self.to(query)
        self.arrived("Overview")

    def to(self, address: str) -> None:
        """Goes to an address below the dashboard's; again, if the document itself was cut off."""

        def gone() -> bool:
            try:
                self.page.goto(f"{self.url}/{address}")
            except Error as error:
                if _CUT_OFF in error.message or "interrupted by another navigation" in error.message:
                    return False
                raise
            return True

        eventually(gone, "an answer that is not cut off")

    def go(self, title: str) -> None:
        """Chooses a page in the menu. On a phone the menu is behind a button."""
        link = self.sidebar.get_by_role("link", name=title)
        size = self.page.viewport_size
        phone = size is not None and size["width"] < 600
        if phone and not link.is_visible():
            self.page.get_by_test_id("stExpandSidebarButton").click()
        link.click()
        self.arrived(title)
        if phone:
            collapse = self.page.get_by_test_id("stSidebarCollapseButton").get_by_role("button")
            if collapse.is_visible():
                collapse.click()

    def arrive(self, title: str, query: str = "range=15m") -> None:
        """By a link straight to a page, until its charts are drawn."""
        self.to(f"{'' if title == 'Overview' else title.lower()}?{query}")
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

    def free_of_barriers(self, title: str, options: Mapping[str, Any] | None = None) -> None:
        """Waits until axe finds none: while a part of a page is drawn anew it may not have its styles or its name yet."""
        found: list[str] = []

        def none() -> bool:
            found[:] = self.barriers(title, options)
            return not found

        eventually(none, lambda: f"no barrier: {found}")

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
            visitor.complain(f"console: {message.text}")

    def failed(request: Request) -> None:
        visitor.cut_off |= request.failure == _CUT_OFF
        if request.failure not in _NOT_OURS:
            visitor.complain(f"failed: {request.url} ({request.failure})")

    def response(answer: Response) -> None:
        if answer.status >= 400 and not _PROBE.search(answer.url):
            visitor.complain(f"{answer.status}: {answer.url}")

    page.on("console", console)
    page.on("response", response)
    page.on("pageerror", lambda error: visitor.complain(f"script: {error}"))
    page.on("requestfailed", failed)
    try:
        yield visitor
    finally:
        # an answer that is cut off because the visitor leaves is no complaint
        complaints = list(visitor.complaints)
        page.close()
        visitor.complaints[:] = complaints


def pinot(broker: str, sql: str) -> list[list[Any]]:
    """The rows of a query; one that Pinot could not answer, because it is busy or a table is new, is asked again."""
    answer: dict[str, Any] = {}

    def answered() -> bool:
        nonlocal answer
        answer = httpx.post(f"{broker}/query/sql", json={"sql": sql}, timeout=STEP_S).json()
        return not answer.get("exceptions")

    eventually(answered, lambda: f"an answer to {sql}: {answer['exceptions']}")
    # where no segment can have rows there is no table of results
    return list((answer.get("resultTable") or {}).get("rows") or [])


def pinot_number(broker: str, sql: str) -> int:
    """The one number that a query gives; 0 where there are no rows, of which SUM and MAX are minus infinity."""
    rows = pinot(broker, sql)
    number = float(rows[0][0]) if rows else 0.0
    return int(number) if isfinite(number) else 0
