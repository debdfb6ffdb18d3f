"""A refresh: new numbers come into the charts that are there, and what the viewer has done to them stays."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.driving import PAGES, Visit, eventually, visit

pytestmark = [pytest.mark.stack, pytest.mark.browser]

_OVER_TIME = "[...document.querySelectorAll('.js-plotly-plot')].filter(p => p.layout.meta?.time)"
_ALL = f"{_OVER_TIME}.map(p => p._fullLayout.xaxis.range)"
_RANGES = "[plot._fullLayout.xaxis.range, plot._fullLayout.yaxis.range]"


@pytest.fixture
def visiting(tab: Visit) -> Visit:
    """A visitor of Sources that wants to see everything at once."""
    tab.arrive("Sources", "refresh=2s")
    return tab


def test_a_zoom_and_the_chart_itself_outlast_a_refresh(visiting: Visit) -> None:
    first = visiting.charts(3)[0]
    page = visiting.page
    page.evaluate("""window.plot = document.querySelector('.js-plotly-plot');
        window.drawing = plot.querySelector('.main-svg'); window.faintest = 1;
        setInterval(() => { window.faintest = Math.min(window.faintest, shown(plot)) }, 20);
        function shown(e) { return e ? getComputedStyle(e).opacity * shown(e.parentElement) : 1 }""")
    zoom(page)
    zoomed = page.evaluate(_RANGES)
    assert page.evaluate("plot._fullLayout.xaxis.autorange") is False
    eventually(lambda: visiting.charts(3)[0] != first, "newer numbers")
    assert page.evaluate(_RANGES) == zoomed
    assert page.evaluate("document.querySelector('.js-plotly-plot') === plot")
    assert page.evaluate("plot.querySelector('.main-svg') === drawing")
    assert page.evaluate("window.faintest") == 1, "it was faded out meanwhile"

    # another range is another picture: the zoom does not hold there
    visiting.sidebar.get_by_role("radio", name="1h").or_(
        visiting.sidebar.get_by_role("button", name="1h")
    ).first.click()
    eventually(lambda: page.evaluate("plot._fullLayout.yaxis.autorange") is True, "no zoom in another range")


def test_a_zoom_holds_for_all_charts_when_wanted(visiting: Visit) -> None:
    visiting.sidebar.get_by_text("Zoom all charts together").click()
    visiting.page.wait_for_url(re.compile("zoom=true"))
    expect(visiting.main.locator("[data-zoom=common]")).to_have_count(3)
    before = visiting.charts(3)[0]
    page = visiting.page
    page.evaluate("window.plot = document.querySelector('.js-plotly-plot'); null")
    zoom(page)
    zoomed = page.evaluate("plot._fullLayout.xaxis.range")
    eventually(lambda: page.evaluate(_ALL) == [zoomed] * 3, lambda: f"{zoomed} on all: {page.evaluate(_ALL)}")
    eventually(lambda: visiting.charts(3)[0] != before, "newer numbers")
    assert page.evaluate(_ALL) == [zoomed] * 3

    # on the next page too, and a double click ends it everywhere
    visiting.go("Engagement")
    visiting.charts(PAGES["Engagement"])
    eventually(lambda: page.evaluate(_ALL) == [zoomed] * 2, lambda: f"{zoomed} on both: {page.evaluate(_ALL)}")
    free = f"{_OVER_TIME}.every(p => p._fullLayout.xaxis.autorange === true)"

    def ended() -> bool:
        # plotly takes two clicks that a busy page handles more than 300 ms apart for single ones
        if not page.evaluate(free):
            page.locator(".js-plotly-plot .nsewdrag").first.dblclick()
        return bool(page.evaluate(free))

    eventually(ended, "no zoom on any chart", every_s=2)


def test_plotly_is_fetched_once(new_browser: BrowserContext, dashboard: str, flowing: None) -> None:
    # what is fetched ahead is run from the browser's cache later: the second entry has no size
    fetched = """performance.getEntriesByType('resource').filter(r => r.name.includes('plotly') && r.transferSize).map(r => r.name)"""
    with visit(new_browser, dashboard) as visiting:
        visiting.open()
        for title in ("Sources", "Engagement", "Overview"):
            visiting.go(title)
            visiting.charts(PAGES[title])
        addresses = visiting.page.evaluate(fetched)
    assert len(addresses) == 1
    assert addresses[0].startswith(visiting.url)
    assert visiting.complaints == []


def zoom(page: Page) -> None:
    """Draws a rectangle on the first chart."""
    box = page.locator(".js-plotly-plot .nsewdrag").first.bounding_box()
    assert box is not None
    left, top = box["x"], box["y"]
    page.mouse.move(left + 0.55 * box["width"], top + 0.2 * box["height"])
    page.mouse.down()
    page.mouse.move(left + 0.98 * box["width"], top + 0.7 * box["height"], steps=5)
    page.mouse.up()
    # plotly shows the new range at its next look, which nothing announces
    eventually(lambda: page.evaluate("plot._fullLayout.xaxis.autorange") is False, "the zoom")
