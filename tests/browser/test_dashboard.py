"""The dashboard in a real browser, over the real pipeline."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from functools import partial

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser.driving import QUERY, Visit, eventually, pinot
from tests.browser.system import RATE, state, status, total
from tests.patience import STEP_S
from tests.stack import Stack

pytestmark = [pytest.mark.stack, pytest.mark.browser]


def test_the_first_page_is_found_under_its_name_too(tab: Visit) -> None:
    tab.to("overview?range=1h")
    tab.arrived("Overview")
    tab.charts(3)
    assert tab.page.url == f"{tab.url}/?range=1h"
    expect(tab.page.get_by_role("dialog")).to_have_count(0)


def test_numbers_on_screen_are_those_in_pinot(tab: Visit, stack: Stack) -> None:
    httpx.post(f"{stack.url('generator')}/generator/stop", timeout=STEP_S).raise_for_status()
    tab.open(QUERY)
    # Compared until they agree: the last events are still on their way, to Pinot first and from there to the screen.
    for label, column, table in (
        ("Page views today", "view_count", "pageview_tumbling"),
        ("Sessions today", "session_count", "usersession_device"),
    ):
        eventually(partial(shows_total, tab, stack, label, column, table), partial(tab.metric, label))
    tab.go("Sources")
    eventually(partial(shows_users, tab, stack), "the users of each source and minute as Pinot has them")


def shows_total(visitor: Visit, stack: Stack, label: str, column: str, table: str) -> bool:
    return visitor.metric(label) == f"{total(stack, column, table):,}"


def shows_users(visitor: Visit, stack: Stack) -> bool:
    tumbling = {trace["name"]: trace["y"] for trace in visitor.charts(3)[0]}
    since = int(time.time() * 1000) - 20 * 60_000
    sql = f"SELECT source, user_count FROM pageview_tumbling WHERE window_start >= {since} ORDER BY window_start LIMIT 1000"
    expected: dict[str, list[int]] = {}
    for source, users in pinot(stack.url("pinot_broker"), sql):
        expected.setdefault(source, []).append(users)
    # the page may have left out windows that have just left its range; what it calls "other" is of several sources
    known = tumbling.keys() & expected.keys()
    return len(known) >= 3 and all(tumbling[source] == expected[source][-len(tumbling[source]) :] for source in known)


def test_stop_start_and_pause_are_obeyed(visitor: Visit, stack: Stack) -> None:
    side = visitor.sidebar
    side.get_by_role("button", name="Stop", exact=False).click()
    eventually(lambda: state(stack) == "stopped", "the generator has stopped")
    expect(side.get_by_text(re.compile(r"Stopped: [\d,]+ events acknowledged"))).to_be_visible()

    side.get_by_role("button", name="Start").dblclick()
    eventually(lambda: state(stack) == "running", "the generator runs")
    expect(side.get_by_text(f"Started at {RATE} events/s.")).to_be_visible()

    side.get_by_role("button", name="Pause").click()
    eventually(lambda: state(stack) == "paused", "the generator is paused")
    expect(side.get_by_text("Paused: nothing new is generated.")).to_be_visible()
    side.get_by_role("button", name="Resume").click()
    eventually(lambda: state(stack) == "running", "the generator runs again")


@pytest.fixture
def unchanging(stack: Stack) -> Iterator[None]:
    """No mutations before, none left behind: a seed is refused while users change."""
    stop = f"{stack.url('seeder')}/seeder/mutations"
    httpx.delete(stop, timeout=STEP_S)
    yield
    httpx.delete(stop, timeout=STEP_S)


@pytest.mark.usefixtures("unchanging")
def test_profile_users_and_changes(tab: Visit, stack: Stack) -> None:
    tab.arrive("Controls", "refresh=5s")
    main = tab.main
    main.get_by_role("radio", name="sine").or_(main.get_by_role("button", name="sine")).first.click()
    main.get_by_role("button", name="Use this profile now").click()
    eventually(lambda: (status(stack).get("profile") or {}).get("kind") == "sine", "the profile is in use")
    expect(main.get_by_text("The load follows the profile sine.")).to_be_visible()

    users = status(stack, "seeder")["users"]
    expect(main.get_by_role("radio", name="append")).to_be_checked()
    count = main.get_by_label("How many")
    count.fill("1")
    count.press("Enter")
    main.get_by_role("button", name="Seed users").click()
    eventually(lambda: bool(status(stack, "seeder")["users"] == users + 1), "one more user")
    expect(main.get_by_text("Seeding 1 user")).to_be_visible()

    main.get_by_text("Keep users changing").click()
    main.get_by_role("button", name="Start changes").click()
    eventually(lambda: bool(status(stack, "seeder")["mutations"]), "users change")
    # the buttons are drawn anew by then: a click on those of before has no effect
    expect(main.get_by_text("Users change for the next 10 minutes.")).to_be_visible()
    expect(main.get_by_role("button", name="Start changes")).to_be_disabled()
    main.get_by_role("button", name="Stop changes").click()
    eventually(lambda: not (status(stack, "seeder")["mutations"] or {}).get("running"), "users no longer change")
