"""How pages are drawn, in Chromium, with imitated servers: it needs no stack."""

from __future__ import annotations

import csv
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from playwright.sync_api import Route, expect

from tests.browser.driving import Visit, eventually
from tests.browser.imitation import Imitation
from tests.patience import STEP_S

pytestmark = pytest.mark.browser


def test_there_is_one_button_while_its_action_is_under_way_and_a_double_click_acts_once(
    visiting: Visit, imitated: Imitation, monkeypatch: pytest.MonkeyPatch
) -> None:
    over, act = Event(), imitated.services._act

    def held(path: str, body: dict[str, Any]) -> dict[str, Any]:
        assert over.wait(STEP_S)
        return act(path, body)

    monkeypatch.setattr(imitated.services, "_act", held)
    imitated.services.generator["state"] = "stopped"
    start = visiting.main.get_by_role("button", name="Start", exact=True)

    def shown() -> bool:
        """An answer of before is shared for a second: after it the page shows that the generator is stopped."""
        visiting.arrive("Controls", "refresh=paused")
        return start.count() == 1

    eventually(shown, "the generator is stopped")
    try:
        start.dblclick()
        expect(visiting.main.get_by_text("Starting…")).to_be_visible()
        expect(start).to_have_count(1)
        expect(start).to_be_disabled()
        colour = "e => getComputedStyle(e).color"
        words = start.get_by_text("Start")
        assert words.evaluate(colour) == start.evaluate(colour), "the theme's grey, not white on white"
    finally:
        over.set()
    expect(visiting.main.get_by_text("Started at 200 events/s.")).to_be_visible()
    expect(start).to_have_count(0)
    assert [path for _, path, _ in imitated.services.calls] == ["/generator/start"]


def test_a_path_is_shortened_where_the_chart_is_narrow_and_the_height_stays(
    visiting: Visit, imitated: Imitation
) -> None:
    path = "/products/garden-furniture/teak-lounge-chair.html"
    rows = imitated.pinot.tables["pageview_page"]
    imitated.pinot.tables["pageview_page"] = [[path if row[0] == "/" else row[0], *row[1:]] for row in rows]
    visiting.arrive("Engagement")
    chart = visiting.main.locator("[data-chart=pages]")
    name, height = chart.locator(".ytick text").last, chart.evaluate("e => e.offsetHeight")
    expect(name).to_have_text(path)
    visiting.page.set_viewport_size({"width": 390, "height": 844})
    expect(name).to_have_text("/products/gard…ir.html")
    assert chart.evaluate("e => e.offsetHeight") == height
    visiting.page.set_viewport_size({"width": 1280, "height": 800})
    expect(name).to_have_text(path)
    hover = "p => p._fullData.flatMap(t => t.customdata.map(c => c[0]))"
    assert path in chart.evaluate(hover)


def test_the_rows_of_a_query_are_saved_as_they_were_answered(visiting: Visit, imitated: Imitation) -> None:
    at = 1_795_000_000_123
    imitated.services.table = {"columns": ["window_start", "view_count"], "rows": [[at, 3]]}
    visiting.to("sql")
    visiting.arrived("SQL")
    visiting.main.get_by_role("button", name="Run").click()
    expect(visiting.main.get_by_text("1 row in 12 ms. Times are in UTC")).to_be_visible()
    with visiting.page.expect_download() as saved:
        visiting.main.get_by_role("button", name="CSV", exact=True).click()
    read = list(csv.reader(Path(saved.value.path()).read_text().splitlines()))
    assert read == [["window_start", "view_count"], [str(at), "3"]]


def test_a_page_that_lost_one_of_its_scripts_is_loaded_again(visiting: Visit) -> None:
    """As when a network interface comes or goes while it is loaded."""
    lost: list[str] = []

    def lose(route: Route) -> None:
        if lost:
            route.fallback()
        else:
            lost.append(route.request.url)
            route.abort()

    visiting.page.route("**/static/js/src.*.js", lose)
    visiting.open()
    eventually(lambda: len(visiting.complaints) == 1, lambda: visiting.complaints)
    assert visiting.complaints == [f"failed: {lost[0]} (net::ERR_FAILED)"]
    visiting.complaints.clear()
