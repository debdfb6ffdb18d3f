"""How long a visitor waits for the first heading, beside a bare page of Streamlit's in the same minutes.

A visit is a browser context of its own, with nothing in its cache. Dashboard and bare page take turns, so that both have the same load
beside them: the ratio says what the dashboard adds to Streamlit, whatever the machine.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, Final

from playwright.sync_api import Browser, sync_playwright

from benchmarks.harness import busy
from tests.browser.driving import ARGUMENTS, CHROMIUM, streamlit_server
from tests.patience import STEP_S

VISITS: Final = 8
#: processes that compute beside it
BUSY: Final = 10
#: they end by then, whatever happens here
BUSY_S: Final = 900.0
QUIET_GOAL_S: Final = 2.0
BUSY_GOAL_S: Final = 5.0
#: what every page of Streamlit's waits for: its scripts, its connection, one run of a script
_BARE: Final = "import streamlit as st\nst.title('Bare')\nst.write('words')\n"


def measure(dashboard: str, visits: int = VISITS) -> dict[str, Any]:
    """Seconds until the heading is seen, for each page in turn: quiet, and with ``BUSY`` processes that compute."""
    with bare_page() as bare, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        try:
            quiet = _turns(browser, dashboard, bare, visits)
            with busy(BUSY, BUSY_S):
                loaded = _turns(browser, dashboard, bare, visits)
        finally:
            browser.close()
    return {"quiet": quiet, "busy": loaded, "busy_processes": BUSY, "visits": visits}


def _turns(browser: Browser, dashboard: str, bare: str, visits: int) -> dict[str, Any]:
    times: dict[str, list[float]] = {"dashboard": [], "bare": []}
    for turn in range(1 + visits):  # the first one warms up
        for name, url in (("dashboard", dashboard), ("bare", bare)):
            took = heading(browser, url)
            if turn:
                times[name].append(took)
    found = {name: {"median": round(median(each), 2), "most": round(max(each), 2)} for name, each in times.items()}
    return {**found, "ratio": round(found["dashboard"]["median"] / found["bare"]["median"], 2)}


def heading(browser: Browser, url: str) -> float:
    """Seconds from the address to its first heading."""
    context = browser.new_context()
    try:
        page = context.new_page()
        began = time.perf_counter()
        page.goto(url, wait_until="commit", timeout=STEP_S * 1_000)
        page.locator("h1").first.wait_for(timeout=STEP_S * 1_000)
        return time.perf_counter() - began
    finally:
        context.close()


@contextmanager
def bare_page() -> Iterator[str]:
    """A server of Streamlit's with a page of two lines."""
    with tempfile.TemporaryDirectory(prefix="pagepulse-bare-") as folder:
        script = Path(folder) / "bare.py"
        script.write_text(_BARE)
        command = ["streamlit", "run", str(script), "--server.headless=true", "--server.fileWatcherType=none"]
        quiet = {"STREAMLIT_SERVER_ADDRESS": "127.0.0.1", "STREAMLIT_BROWSER_GATHER_USAGE_STATS": "false"}
        with streamlit_server(command, "STREAMLIT_SERVER_PORT", quiet) as url:
            yield url


def rows(result: dict[str, Any]) -> list[tuple[str, ...]]:
    """A line for each load: dashboard, bare page, ratio."""
    found = []
    for name, words in (("quiet", "nothing else"), ("busy", f"{result['busy_processes']} processes that compute")):
        one = result[name]
        figures = [one[page][figure] for page in ("dashboard", "bare") for figure in ("median", "most")]
        found.append((words, *(f"{figure:.2f}" for figure in figures), f"{one['ratio']:.2f}"))
    return found
