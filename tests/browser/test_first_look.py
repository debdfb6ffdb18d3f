"""Every page opened by a link: live, silent console, accessible, in light and dark, on a desktop and on a phone."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Response, expect

from tests.browser.driving import PAGES, Visit, eventually, visit

pytestmark = [pytest.mark.stack, pytest.mark.browser]


@contextmanager
def strict(browser: BrowserContext, url: str, **options: Any) -> Iterator[Visit]:
    """A visit in which not even a warning, or an answer 404 to a probe, may be seen in the console."""
    said: list[str] = []
    with visit(browser, url, **options) as visiting:
        place = visiting.page
        place.on("console", lambda message: said.append(f"{message.type}: {message.text} at {place.url}"))
        place.on("response", lambda answer: said.extend(refused(answer)))
        yield visiting
    assert visiting.complaints == []
    assert said == []


def refused(answer: Response) -> list[str]:
    """What is to be said of an answer that is an error."""
    return [f"{answer.status}: {answer.url}"] if answer.status >= 400 else []


@pytest.mark.parametrize(
    ("width", "dark"),
    [pytest.param(1280, False, id="desktop, light"), pytest.param(390, True, id="phone, dark")],
)
def test_a_link_to_a_page_shows_live_data_and_is_accessible(
    browser: BrowserContext, dashboard: str, flowing: None, width: int, dark: bool
) -> None:
    """Two of the four: what is where depends on the width, colours on the scheme."""
    with strict(browser, dashboard, width=width, height=844, dark=dark) as visiting:
        for title, charts in PAGES.items():
            visiting.arrive(title)
            eventually(partial(has_data, visiting, charts), f"data in every chart of {title}")
            expect(visiting.main.get_by_text("Stale since")).to_have_count(0)
            expect(visiting.main.get_by_test_id("stException")).to_have_count(0)
            eventually(lambda: max(extent(visiting).values()) <= width, lambda t=title: f"{t}: {extent(visiting)}")  # type: ignore[misc]
            visiting.free_of_barriers(title)
        visiting.page.go_back()
        visiting.page.go_forward()
        visiting.arrived("SQL")


def has_data(visiting: Visit, charts: int) -> bool:
    return all(any(trace["y"] or trace["z"] for trace in chart) for chart in visiting.charts(charts))


def extent(visiting: Visit) -> dict[str, float]:
    """Where the main menu ends, and how wide the page is, in px."""
    menu = visiting.page.get_by_test_id("stMainMenuButton").bounding_box()
    page = visiting.page.evaluate("document.documentElement.scrollWidth")
    return {"menu": menu["x"] + menu["width"] if menu else math.inf, "page": page}


def test_the_keyboard_alone_reaches_the_controls_with_their_names(tab: Visit) -> None:
    # a refresh might take the focus from what it draws anew
    tab.arrive("Overview", "range=15m&refresh=paused")
    expect(tab.sidebar.get_by_role("button", name="Stop")).to_be_enabled()
    focused = """() => { const e = document.activeElement, style = getComputedStyle(e);
        const name = e.getAttribute('aria-label') || e.innerText || e.labels?.[0]?.innerText || e.title || '';
        return [name, e === document.body || style.outlineStyle + style.boxShadow !== 'nonenone'] }"""
    reached, unseen = [], []
    for _ in range(60):
        tab.page.keyboard.press("Tab")
        name, outlined = tab.page.evaluate(focused)
        reached.append(str(name).strip())
        if not outlined:
            unseen.append(reached[-1])
    for wanted in ("Rate, events per second", "Rate", "Stop", "Pause", "Compare with the period before", "Data"):
        assert any(wanted in each for each in reached), (wanted, reached)
    assert all(reached[:25]), reached
    assert unseen == []
