"""The rate's field and slider: one value at every place."""

from __future__ import annotations

import re

import httpx
import pytest
from playwright.sync_api import Locator, expect

from tests.browser.driving import PATIENCE_MS, QUERY, Visit, eventually
from tests.browser.system import status
from tests.patience import STEP_S
from tests.stack import Stack

pytestmark = [pytest.mark.stack, pytest.mark.browser]


def field(place: Locator) -> Locator:
    return place.get_by_role("spinbutton", name="Rate, events per second")


def target(stack: Stack) -> float:
    return float(status(stack)["target_rate"])


def test_an_exact_rate_is_obeyed_and_shown_at_both_places_and_one_without_sense_is_not_sent(
    tab: Visit, stack: Stack
) -> None:
    tab.arrive("Controls", "refresh=5s")
    for place, rate in ((tab.sidebar, "123.5"), (tab.main, "321")):
        entry = field(place)
        entry.fill(rate)
        entry.press("Enter")
        eventually(lambda rate=rate: target(stack) == float(rate), f"a rate of {rate}")  # type: ignore[misc]
        for shown in (tab.sidebar, tab.main):
            expect(field(shown)).to_have_value(rate, timeout=PATIENCE_MS)
        expect(place.get_by_text(re.compile(r"Rate is [\d,.]+ events/s\."))).to_be_visible()

    entry = field(tab.sidebar)
    entry.fill("0.01")
    entry.press("Enter")
    expect(tab.sidebar.get_by_text("0 for full speed, or 0.1 to 1,000,000")).to_be_visible(timeout=PATIENCE_MS)
    expect(entry).to_have_attribute("aria-invalid", "true")
    assert target(stack) == 321


def test_arrow_keys_go_to_the_next_rate_from_the_present_one(tab: Visit, stack: Stack) -> None:
    httpx.put(f"{stack.url('generator')}/generator/rate", json={"rate": 370}, timeout=STEP_S).raise_for_status()
    tab.open(QUERY)
    expect(field(tab.sidebar)).to_have_value("370", timeout=PATIENCE_MS)
    slider = tab.sidebar.get_by_role("slider", name="Rate")
    for key, shown, rate in (("ArrowRight", 370, 400), ("ArrowLeft", 400, 300)):
        before = f"{shown} events per second"
        expect(slider).to_have_attribute("aria-valuetext", before)

        def stepped(key: str = key, before: str = before, rate: float = rate) -> bool:
            # A key that arrives while the page is drawn anew has no effect: like a person, press again if nothing is seen to happen.
            if target(stack) != rate and slider.get_attribute("aria-valuetext") == before and slider.is_enabled():
                slider.press(key)
            return target(stack) == rate

        eventually(stepped, f"{rate} after {shown}", every_s=2)
        expect(slider).to_have_attribute("aria-valuetext", f"{rate} events per second")
