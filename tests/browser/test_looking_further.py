"""From a chart onwards, any range, records and SQL."""

from __future__ import annotations

import csv
import json
import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser.driving import PATIENCE_MS, Visit, eventually, pinot_number
from tests.patience import STEP_S
from tests.stack import Stack

pytestmark = [pytest.mark.stack, pytest.mark.browser]


def test_a_chart_gives_its_sql_its_rows_and_its_picture(tab: Visit, stack: Stack) -> None:
    # a refresh would draw the menu anew while it is used
    tab.arrive("Sources", "range=15m&refresh=paused")
    tab.main.get_by_role("button", name="Data").first.click()
    menu = tab.page.get_by_test_id("stPopoverBody")
    expect(menu.get_by_test_id("stCode")).to_contain_text("FROM pageview_tumbling", timeout=PATIENCE_MS)
    console = menu.get_by_role("link", name="Run in Pinot's console").get_attribute("href")
    assert console is not None
    assert console.startswith(f"{stack.url('pinot_controller')}/#/query?query=SELECT")
    with tab.page.expect_download(timeout=PATIENCE_MS) as rows:
        menu.get_by_role("button", name="CSV").click()
    read = list(csv.DictReader(Path(rows.value.path()).read_text().splitlines()))
    assert {"source", "window_start", "view_count", "user_count"} <= set(read[0])
    with tab.page.expect_download(timeout=PATIENCE_MS) as picture:
        menu.get_by_role("button", name="PNG").click()
    assert Path(picture.value.path()).read_bytes().startswith(b"\x89PNG")


def test_any_range_by_its_dates_is_kept_in_the_address(tab: Visit) -> None:
    now = datetime.now(UTC)
    since, until = (f"{at:%Y-%m-%dT%H:%M}" for at in (now - timedelta(minutes=10), now + timedelta(minutes=1)))
    tab.to(f"audience?range=dates&from={since}&to={until}&compare=true")
    tab.arrived("Audience")
    tab.charts(5)
    expect(tab.main.get_by_text("Leading countries,")).to_contain_text(f"{now - timedelta(minutes=10):%H:%M} to")
    expect(tab.sidebar.get_by_text("Compare with the period before")).to_be_visible()


def test_records_of_a_topic_are_those_in_kafka(tab: Visit, stack: Stack) -> None:
    path = f"{stack.url('provisioner')}/provisioner/topics/topic1_PageView/records"
    oldest = httpx.get(path, params={"from": "oldest", "limit": 1}, timeout=STEP_S).json()["records"][0]
    tab.to("records?begin=oldest")
    tab.arrived("Records")
    place = f"Record at partition {oldest['partition']}, offset {oldest['offset']}"
    expect(tab.main.get_by_text(place)).to_be_visible(timeout=PATIENCE_MS)
    code = tab.main.get_by_test_id("stCode").first
    stored = {"key": oldest["key"], "value": oldest["value"]}
    eventually(lambda: as_json(code.inner_text()) == stored, lambda: f"{stored}: {code.inner_text()}")
    key = tab.main.get_by_label("Key", exact=True)
    key.fill("no such key")
    key.press("Enter")
    expect(tab.main.get_by_text("No record matches.")).to_be_visible(timeout=PATIENCE_MS)


def as_json(text: str) -> Any:
    """None while the text is not complete."""
    with suppress(ValueError):
        return json.loads(text)
    return None


def test_a_click_in_the_shop_is_counted_in_pinot_and_shown_on_the_dashboard(tab: Visit, stack: Stack) -> None:
    tab.page.goto(f"{stack.url('collector')}/shop")
    tab.page.get_by_role("navigation").get_by_role("link", name="Lamps").click()
    expect(tab.page.get_by_text("You viewed /shop/lamps.html")).to_be_visible()
    sql = "SELECT SUM(view_count) FROM pageview_page WHERE page = '/shop/lamps.html' LIMIT 1"
    eventually(lambda: pinot_number(stack.url("pinot_broker"), sql) >= 1, "the view is in a window of its page")

    tab.to("records")
    tab.arrived("Records")
    text = tab.main.get_by_label("Text", exact=True)
    text.fill("/shop/lamps.html")
    text.press("Enter")
    expect(tab.main.get_by_test_id("stCode").first).to_contain_text("/shop/lamps.html", timeout=PATIENCE_MS)


def test_following_shows_records_that_arrive(tab: Visit) -> None:
    tab.to("records?follow=true")
    tab.arrived("Records")
    counted = tab.main.get_by_text(re.compile(r"records of about [\d,]+ in"))
    expect(counted).to_be_visible()
    first = counted.inner_text()
    eventually(lambda: counted.count() == 1 and counted.inner_text() != first, f"more than: {first}")


def test_the_servers_pages_are_linked(visitor: Visit, stack: Stack) -> None:
    visitor.sidebar.get_by_text("Servers and logs").click()
    for name, service, path in (
        ("Generator API", "generator", "/docs"),
        ("Collector API", "collector", "/docs"),
        ("Pinot console", "pinot_controller", "/"),
    ):
        link = visitor.sidebar.get_by_role("link", name=name)
        expect(link).to_be_visible()
        assert link.get_attribute("href") == f"{stack.url(service)}{path}"  # type: ignore[arg-type]
    expect(visitor.sidebar.get_by_text("pagepulse logs")).to_be_visible()


@pytest.mark.parametrize("engine", ["Pinot", "ksqlDB"])
def test_a_query_of_the_pipeline_is_run_and_nothing_else_is(tab: Visit, engine: str) -> None:
    tab.to(f"sql?engine={engine}")
    tab.arrived("SQL")
    run = tab.main.get_by_role("button", name="Run")
    run.click()
    expect(tab.main.get_by_text(" in ").filter(has_text="row")).to_be_visible(timeout=PATIENCE_MS)
    expect(tab.main.get_by_test_id("stDataFrame")).to_be_visible(timeout=PATIENCE_MS)
    text = tab.main.get_by_role("textbox", name="Query")
    text.fill("DROP TABLE pageview_tumbling")
    run.click()
    expect(tab.main.get_by_text("it must begin with SELECT")).to_be_visible(timeout=PATIENCE_MS)
