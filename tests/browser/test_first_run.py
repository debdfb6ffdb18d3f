"""A new user: what the overview says and offers in each state, and with the backend unavailable."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import BrowserContext, expect

from tests.browser.driving import Visit, streamlit_server, visit
from tests.patience import STEP_S
from tests.stack import Stack

pytestmark = [pytest.mark.stack, pytest.mark.browser]

STRIP = "The way of an event"
PARTS = ("Users", "Load", "Kafka topics", "Queries", "Pinot tables", "Screen")


def test_it_says_what_to_press_and_folds_away_while_all_is_running(tab: Visit, stack: Stack) -> None:
    httpx.post(f"{stack.url('generator')}/generator/stop", timeout=STEP_S).raise_for_status()
    tab.open("?refresh=2s")
    expect(tab.main.get_by_text("No load is generated.")).to_be_visible()
    strip = tab.main.get_by_role("list", name=STRIP)
    for part in PARTS:
        expect(strip.get_by_text(part, exact=True)).to_be_visible()
    tab.sidebar.get_by_role("button", name="Start").click()
    expect(tab.main.get_by_text("Next:")).to_have_count(0)
    expect(tab.main.get_by_text("Bars: the last 15 minutes, one for each minute")).to_be_visible()
    tab.main.get_by_text("What is on this page").click()
    expect(strip).to_be_visible()

    httpx.post(f"{stack.url('generator')}/generator/pause", timeout=STEP_S).raise_for_status()
    expect(tab.main.get_by_text("The generator is paused.")).to_be_visible()


@pytest.fixture(scope="module")
def alone() -> Iterator[str]:
    """A dashboard whose servers are unavailable."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}"
        names = (
            "GENERATOR",
            "SEEDER",
            "COLLECTOR",
            "PROVISIONER",
            "PINOT_BROKER",
            "PINOT_CONTROLLER",
            "KSQL",
            "CONNECT",
        )
        addresses = {f"PAGEPULSE_{name}_URL": nobody for name in names}
        with streamlit_server(["services.dashboard"], "PAGEPULSE_PORT", addresses) as url:
            yield url


def test_with_the_backend_away_it_says_which_part_and_where_to_look(browser: BrowserContext, alone: str) -> None:
    with visit(browser, alone) as visiting:
        visiting.open()
        expect(visiting.main.get_by_text("The provisioner is unavailable")).to_be_visible()
        expect(visiting.main.get_by_text("pagepulse status").first).to_be_visible()
        expect(visiting.main.get_by_role("list", name=STRIP)).to_contain_text("unknown")
        assert visiting.metric("Events per second") == "–"
        for title in ("Audience", "Sources", "Engagement", "Pipeline", "Controls", "Records", "SQL"):
            visiting.go(title)
            expect(visiting.main.get_by_test_id("stException")).to_have_count(0)
    assert visiting.complaints == []
