"""Charts: the period before, marks of what happened, long ranges, and sources with strange names."""

from __future__ import annotations

import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaProducer
from playwright.sync_api import Route, expect

from shared.topics import PAGE_VIEW
from tests.browser.driving import Visit, eventually, pinot, pinot_number
from tests.browser.system import RATE
from tests.integration.sources import STRANGE
from tests.patience import STEP_S
from tests.stack import Stack

pytestmark = [pytest.mark.stack, pytest.mark.browser]

MINUTE = 60_000
STRANGE_SOURCES = 40


def dates(since_ms: int, until_ms: int) -> str:
    """The range between two whole minutes as the address has it."""
    since, until = (f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%dT%H:%M}" for at in (since_ms, until_ms))
    return f"range=dates&from={since}&to={until}"


def test_the_period_before_is_a_line_of_its_own_numbers(tab: Visit, stack: Stack) -> None:
    broker = stack.url("pinot_broker")
    first = pinot_number(broker, "SELECT MIN(window_start) FROM pageview_tumbling LIMIT 1")
    eventually(lambda: time.time() * 1000 > first + 2 * MINUTE, "two minutes that are over")
    tab.to(f"sources?{dates(first + MINUTE, first + 2 * MINUTE)}&measure=views&compare=true")
    tab.arrived("Sources")
    sql = f"SELECT SUM(view_count) FROM pageview_tumbling WHERE window_start = {first} LIMIT 1"
    eventually(
        lambda: before(tab) == [pinot_number(broker, sql)],
        lambda: f"the views of the minute before: {before(tab)}, {pinot_number(broker, sql)}",
    )


def before(visitor: Visit) -> list[float]:
    """The line of the period before on the first chart of Sources."""
    return [float(y) for trace in visitor.charts(3)[0] if trace["name"] == "period before" for y in trace["y"]]


def test_what_happened_is_marked_on_the_axis_of_time(tab: Visit, stack: Stack) -> None:
    httpx.put(f"{stack.url('generator')}/generator/rate", json={"rate": 222}, timeout=STEP_S).raise_for_status()
    try:
        tab.open("?refresh=2s")
        words = """[...document.querySelectorAll('.js-plotly-plot')].map(
            p => (p.layout?.annotations || []).map(a => a.hovertext).join(' ')).join(' ')"""
        eventually(lambda: "222" in tab.page.evaluate(words), lambda: tab.page.evaluate(words))
    finally:
        httpx.put(f"{stack.url('generator')}/generator/rate", json={"rate": RATE}, timeout=STEP_S)


def test_a_long_range_is_drawn_in_intervals_and_says_so(tab: Visit, stack: Stack) -> None:
    now = int(time.time() * 1000)
    tab.to(f"sources?{dates(now - 3 * 1_440 * MINUTE, now + MINUTE)}&measure=views")
    tab.arrived("Sources")
    expect(tab.main.get_by_text("each point is the mean of the windows that begin in 5 min").first).to_be_visible()
    eventually(partial(has_means, tab, stack), "the means of five minutes as Pinot has their minutes")


def has_means(visitor: Visit, stack: Stack) -> bool:
    """Whether a complete interval on the screen is the mean of its minutes."""
    end = int(time.time() * 1000) // (5 * MINUTE) * 5 * MINUTE
    sql = (
        "SELECT window_start, view_count FROM pageview_tumbling "
        f"WHERE source = 'Inbox' AND window_start < {end} ORDER BY window_start LIMIT 10000"
    )
    sums: dict[int, float] = {}
    for start, views in pinot(stack.url("pinot_broker"), sql):
        sums[start // (5 * MINUTE)] = sums.get(start // (5 * MINUTE), 0.0) + views
    drawn: list[float] = next((trace["y"] for trace in visitor.charts(3)[0] if trace["name"] == "Inbox"), [])
    expected = [round(each / 5, 2) for _, each in sorted(sums.items())]
    # the last one on the screen is still open; the page may have been drawn before the newest was complete
    return bool(drawn) and all(abs(a - b) < 0.02 for a, b in zip(drawn[:-1], expected, strict=False))


def test_sources_with_strange_names_keep_the_height_of_the_charts(tab: Visit, stack: Stack) -> None:
    mark = f"{STRANGE}{time.time_ns()}"
    names = [f"{mark} {number} {'x' * number * 40}" for number in range(STRANGE_SOURCES)]
    with ThreadPoolExecutor(1) as thread:  # Playwright's loop runs in this one
        thread.submit(asyncio.run, produce(stack, names)).result()
    sql = f"SELECT COUNT(*) FROM pageview_tumbling WHERE source LIKE '{mark}%' LIMIT 1"
    eventually(
        lambda: pinot_number(stack.url("pinot_broker"), sql) >= STRANGE_SOURCES, "their windows", within_s=2 * STEP_S
    )
    tab.to("sources?range=1h&refresh=2s")
    tab.arrived("Sources")
    eventually(
        lambda: any(trace["name"].startswith("other (") for trace in tab.charts(3)[0]),
        lambda: str([trace["name"] for trace in tab.charts(3)[0]]),
    )
    assert len(tab.charts(3)[0]) <= 9
    read = "plots => plots.map(p => [p.offsetHeight, p._fullLayout.yaxis._length])"
    for height, plot in tab.main.locator(".js-plotly-plot").evaluate_all(read):
        assert height <= 340
        assert plot >= 120, "the labels leave the plot its place"
    tumbling, hopping = (colours(tab, chart) for chart in (0, 1))
    both = tumbling.keys() & hopping.keys()
    assert {"Homepage", "Inbox", "External"} <= both
    assert {name: tumbling[name] for name in both} == {name: hopping[name] for name in both}


def colours(visitor: Visit, chart: int) -> dict[str, str]:
    """Name -> colour of the traces in the legend; "other" is of other values on each chart."""
    read = """plot => plot._fullData.filter(t => t.showlegend !== false && !t.name.startsWith('other'))
        .map(t => [t.name, t.marker?.color || t.line?.color])"""
    found: list[list[Any]] = visitor.main.locator(".js-plotly-plot").nth(chart).evaluate(read)
    return {str(name): str(colour) for name, colour in found}


async def produce(stack: Stack, sources: list[str]) -> None:
    """One page view of each source, now, by a user who is not in the table of users."""
    async with AIOKafkaProducer(bootstrap_servers=stack.kafka_bootstrap) as producer:
        for source in sources:
            moment = time.time_ns() // 1_000_000
            view = {"session_id": "s", "user_id": 9_999_999, "source": source, "event_timestamp": moment}
            await producer.send_and_wait(PAGE_VIEW, json.dumps(view).encode())


def test_a_map_that_is_left_while_its_outlines_load_draws_no_more(tab: Visit) -> None:
    held: list[Route] = []
    outlines = "**/static/world_*.json*"

    def hold(route: Route) -> None:
        held.append(route)

    tab.page.route(outlines, hold)
    with tab.page.expect_request(outlines):
        tab.to("audience")
    tab.arrived("Audience")
    tab.go("Sources")
    expect(tab.page.locator("[data-chart=world]")).to_have_count(0)
    for route in held:
        route.continue_()
    tab.charts(3)  # in turn after the map, whose drawing ends first
