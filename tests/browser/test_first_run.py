"""A new user: what the overview says and offers in each state."""

from __future__ import annotations

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser.driving import STRIP, Visit
from tests.patience import STEP_S
from tests.stack import Stack

pytestmark = [pytest.mark.stack, pytest.mark.browser]

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
