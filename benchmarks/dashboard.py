"""How long the dashboard's queries, whole refreshes and its first heading take, with 24 hours of windows in Pinot.

    python -m benchmarks.dashboard [--json FILE] [--write-docs] [--turns 40] [--versions 20]

Starts a stack of its own on ports of its own, fills the sink topics (see ``dashboard_day``), measures, ends the stack.
A query is timed as a page waits for it: Pinot over HTTP, and the frame made of its answer. A refresh is a whole page as
Streamlit runs it: statuses, queries, figures; sidebar included.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
import structlog
from streamlit.testing.v1 import AppTest

from benchmarks import dashboard_day, dashboard_heading
from benchmarks.document import machine_line, table, write_section
from benchmarks.harness import arguments, console, machine, report, write_json
from services.dashboard import trends
from services.dashboard.backend import get_backend
from services.dashboard.queries import Span, Warehouse
from services.dashboard.settings import Settings
from tests import stack as local_stack

#: keeps clear of a demo and of the tests' stack
PORT_OFFSET: Final = 12_000
PAGES: Final = ("overview", "audience", "sources", "engagement", "pipeline", "controls", "records", "sql")
REFRESHES: Final = 8
#: answers are shared for a second: a refresh that is to ask must come later
APART_S: Final = 1.1
WARM_UP: Final = 5
QUERY_GOAL_MS: Final = 100
REFRESH_GOAL_MS: Final = 1_000

HEADING: Final = ("beside it", "dashboard, median", "most", "bare page, median", "most", "ratio")

Times = dict[str, list[float]]


def main() -> None:
    parser = arguments("The dashboard's queries and refreshes over a day of windows.")
    parser.add_argument("--turns", type=int, default=40, help="times that each query is asked")
    parser.add_argument("--versions", type=int, default=20, help="records of each window; the last one counts")
    parser.add_argument("--write-docs", action="store_true", help="put the result into docs/performance.md")
    options = parser.parse_args()
    be_quiet()
    with tempfile.TemporaryDirectory(prefix="pagepulse-benchmark-") as folder:
        stack = local_stack.start(Path(folder) / "stack", PORT_OFFSET)
        try:
            os.environ.update(stack.environment())
            filled = asyncio.run(dashboard_day.fill(stack.kafka_bootstrap, stack.url("pinot_broker"), options.versions))
            console.print("Pinot has " + ", ".join(f"{f['rows']:,} rows of {name}" for name, f in filled.items()))
            queries, pages = measure_queries(options.turns), measure_refreshes()
            heading = dashboard_heading.measure(stack.url("dashboard"))
        finally:
            local_stack.stop(stack)
    result = {
        "tables": filled,
        "versions": options.versions,
        "turns": options.turns,
        "queries_ms": {name: percentiles(times) for name, times in queries.items()},
        "refreshes_ms": {name: percentiles(times) for name, times in pages.items()},
        "heading_s": heading,
        "machine": machine(),
    }
    report("Query over 24 h, ms", ("query", "p50", "p95"), rows(result["queries_ms"]))
    report("Refresh of a page over 24 h, ms", ("page", "p50", "p95"), rows(result["refreshes_ms"]))
    report("First heading, s", HEADING, dashboard_heading.rows(heading))
    write_json(options.json, result)
    if options.write_docs:
        write_section("dashboard", section(result))
    for words in over(result):
        console.print(f"[yellow]over the goal:[/] {words}")


def over(result: dict[str, Any]) -> list[str]:
    """What took longer than is meant."""
    goals = (("queries_ms", QUERY_GOAL_MS), ("refreshes_ms", REFRESH_GOAL_MS))
    return [
        f"{name}: p95 {found['p95']:,.0f} ms, meant {goal:,}"
        for kind, goal in goals
        for name, found in result[kind].items()
        if found["p95"] > goal
    ]


def be_quiet() -> None:
    """No word of Streamlit about running without a browser, none of the pages about a stack that has ended."""
    logging.disable(logging.WARNING)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))


def measure_queries(turns: int) -> Times:
    """Milliseconds of each file of services/dashboard/sql, asked in turn, so that all have the same weather."""
    warehouse = Warehouse.connect(Settings())
    times: Times = {}
    for turn in range(WARM_UP + turns):
        for name, ask in questions(warehouse).items():
            began = time.perf_counter()
            ask()
            if turn >= WARM_UP:
                times.setdefault(name, []).append((time.perf_counter() - began) * 1000)
    return times


def questions(warehouse: Warehouse) -> dict[str, Callable[[], object]]:
    """Every query by the name of its file."""
    span = Span.last(24 * 3600, time.time())
    week, half = Span.last(7 * 24 * 3600, time.time()), Span.last(12 * 3600, time.time())
    leaders = dashboard_day.countries()[:5]
    return {
        "country": lambda: warehouse.countries(span),
        "leaders": lambda: warehouse.leaders(span, leaders),
        "tumbling": lambda: warehouse.tumbling(span),
        "hopping": lambda: warehouse.hopping(span),
        "sessions": lambda: warehouse.sessions(span),
        "devices": lambda: warehouse.devices(span),
        "views_total": lambda: warehouse.views_total(span),
        "sessions_total": lambda: warehouse.sessions_total(span),
        "newest": lambda: warehouse.newest_event(span),
        "pages": lambda: warehouse.pages(span),
        "tumbling_coarse": lambda: warehouse.tumbling(week),
        "hopping_coarse": lambda: warehouse.hopping(week),
        "devices_coarse": lambda: warehouse.devices(week),
        "leaders_coarse": lambda: warehouse.leaders(week, leaders),
        "tumbling, the period before": lambda: warehouse.tumbling(half.before()),
    }


def measure_refreshes() -> Times:
    """Milliseconds of whole runs of each page, after one that warms it up; the page SQL runs its first query each time."""
    times: Times = {}
    fill_trends()
    ours = sys.modules["__main__"]
    try:
        for name, (title, choices) in refreshes().items():
            times[name] = refresh_times(name, title, choices)
    finally:
        # AppTest leaves its script there, and a process that is spawned later would run it
        sys.modules["__main__"] = ours
    return times


def refresh_times(name: str, title: str, choices: dict[str, str]) -> list[float]:
    test = AppTest.from_function(page, args=(title,), default_timeout=30)
    for choice, value in choices.items():
        test.query_params[choice] = value
    times = []
    for turn in range(1 + REFRESHES):
        time.sleep(APART_S)
        if turn and title == "sql":
            next(button for button in test.button if button.label == "Run").click()
        began = time.perf_counter()
        test.run()
        if test.exception:
            raise RuntimeError(f"{name}: {test.exception[0].value}")
        if turn:
            times.append((time.perf_counter() - began) * 1000)
    return times


def refreshes() -> dict[str, tuple[str, dict[str, str]]]:
    """Name of a refresh: the page, and what its address says."""
    now = datetime.now(UTC)

    def since(hours: int) -> dict[str, str]:
        times = {"from": now - timedelta(hours=hours), "to": now}
        return {"range": "dates"} | {name: f"{at:%Y-%m-%dT%H:%M}" for name, at in times.items()}

    return {
        **{name: (name, {"range": "24h"}) for name in PAGES},
        "sources, 12 h and the 12 h before": ("sources", {**since(12), "compare": "true"}),
        "engagement, 12 h and the 12 h before": ("engagement", {**since(12), "compare": "true"}),
        "sources, 7 days": ("sources", since(7 * 24)),
        "audience, 7 days": ("audience", since(7 * 24)),
    }


def fill_trends() -> None:
    """A quarter of an hour of samples, as a dashboard has them that runs for so long: the lag of each query and table is drawn."""
    backend = get_backend()
    sample = backend.sample()
    for back in range(int(trends.WINDOW_S), 0, -int(trends.EVERY_S)):
        backend.trends.add(replace(sample, at=sample.at - back))


def page(name: str) -> None:
    """The script of one page; Streamlit takes its text, so it imports what it needs."""
    import importlib  # noqa: PLC0415

    from services.dashboard import sidebar  # noqa: PLC0415

    sidebar.draw()
    importlib.import_module(f"services.dashboard.pages.{name}").render()


def percentiles(times: list[float]) -> dict[str, float]:
    return {f"p{share}": round(float(np.percentile(times, share)), 1) for share in (50, 95)}


def rows(measured: dict[str, dict[str, float]]) -> list[tuple[str, ...]]:
    return [(name, f"{found['p50']:,.0f}", f"{found['p95']:,.0f}") for name, found in measured.items()]


def section(result: dict[str, Any]) -> str:
    tables = [(name, f"{f['rows']:,}", f"{f['records']:,}") for name, f in result["tables"].items()]
    return f"""## The dashboard

`python -m benchmarks.dashboard --write-docs`: 24 hours of windows in Pinot, {result["versions"]} records of each as it
grew. A query is timed as a page waits for it (Pinot over HTTP, and the frame made of its answer), {result["turns"]} times
each; ``_coarse`` is the one for a range of 7 days. A refresh is a whole page with the range 24 h as Streamlit runs it:
statuses, queries and figures, the sidebar included, on Records the newest 20 records, on SQL a query that is run;
{REFRESHES} times each. Meant: p95 of a query at most {QUERY_GOAL_MS} ms, a refresh at most {REFRESH_GOAL_MS:,} ms.

{table(("table", "rows", "records"), tables)}

{table(("query", "p50, ms", "p95, ms"), rows(result["queries_ms"]))}

{table(("refresh of", "p50, ms", "p95, ms"), rows(result["refreshes_ms"]))}

Seconds from the address to the first heading in Chromium, with nothing in its cache, {result["heading_s"]["visits"]} visits each in turn
with a bare page of Streamlit's (two lines) from a server of its own; the whole stack runs on the same machine. Meant: at most
{dashboard_heading.QUIET_GOAL_S:g} s with nothing else, {dashboard_heading.BUSY_GOAL_S:g} s with
{dashboard_heading.BUSY} processes that compute.

{table(HEADING, dashboard_heading.rows(result["heading_s"]))}

{machine_line(result["machine"])}"""


if __name__ == "__main__":
    main()
