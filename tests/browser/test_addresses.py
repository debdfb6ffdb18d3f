"""The address of a page: links with every choice in them, the back button, and two tabs at once."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import BrowserContext, Locator, expect

from tests.browser.driving import PAGES, Visit, eventually, visit
from tests.browser.system import state, status
from tests.patience import STEP_S
from tests.stack import Stack

pytestmark = [pytest.mark.stack, pytest.mark.browser]


def choice(visiting: Visit, place: Locator, name: str) -> Locator:
    """An option of a segmented control."""
    return place.get_by_role("radio", name=name, exact=True)


def test_a_link_with_every_choice_shows_every_choice(tab: Visit) -> None:
    query = "range=1h&measure=views&compare=true&zoom=true&refresh=30s"
    tab.to(f"sources?{query}")
    tab.arrived("Sources")
    tab.charts(PAGES["Sources"])
    side = tab.sidebar
    expect(choice(tab, side, "1h")).to_be_checked()
    expect(choice(tab, tab.main, "views")).to_be_checked()
    expect(tab.main.get_by_text("page views per minute")).to_be_visible()
    for name in ("Compare with the period before", "Zoom all charts together"):
        expect(side.get_by_role("switch", name=name).or_(side.get_by_role("checkbox", name=name))).to_be_checked()
    expect(side.get_by_text("30s", exact=True).first).to_be_visible()
    eventually(lambda: all(part in tab.page.url for part in query.split("&")), lambda: f"{query} in {tab.page.url}")


def test_a_link_with_choices_that_there_are_not_shows_the_page(tab: Visit) -> None:
    tab.to("sources?range=3weeks&measure=<b>&refresh=1ms&from=x&to=&compare=perhaps")
    tab.arrived("Sources")
    tab.charts(PAGES["Sources"])
    expect(choice(tab, tab.sidebar, "15m")).to_be_checked()
    expect(tab.main.get_by_test_id("stException")).to_have_count(0)


def test_the_view_is_kept_across_pages_and_reloads_and_back_and_forward(visitor: Visit) -> None:
    visitor.go("Audience")
    visitor.go("Sources")
    choice(visitor, visitor.sidebar, "1h").click()
    visitor.page.wait_for_url(re.compile("range=1h"))
    visitor.go("Engagement")
    visitor.charts(PAGES["Engagement"])
    visitor.page.wait_for_url(re.compile("range=1h"))
    visitor.page.reload()
    visitor.arrived("Engagement")
    visitor.charts(PAGES["Engagement"])
    expect(choice(visitor, visitor.sidebar, "1h")).to_be_checked()

    back_to(visitor, "Sources")
    visitor.charts(PAGES["Sources"])
    expect(choice(visitor, visitor.sidebar, "1h")).to_be_checked()
    back_to(visitor, "Audience")
    visitor.charts(PAGES["Audience"])
    back_to(visitor, "Overview")
    visitor.charts(PAGES["Overview"])
    visitor.page.go_forward()
    visitor.arrived("Audience")
    visitor.charts(PAGES["Audience"])


def back_to(visitor: Visit, title: str) -> None:
    """Back until this page: a choice may be a step of the history too."""
    heading = visitor.main.get_by_role("heading", level=1)
    for _ in range(5):
        before = visitor.page.url
        visitor.page.go_back()
        eventually(lambda before=before: visitor.page.url != before, "another address")  # type: ignore[misc]
        if title.lower() in visitor.page.url or (title == "Overview" and at_root(visitor)):
            break
    expect(heading).to_have_text(title)
    visitor.arrived(title)


def at_root(visitor: Visit) -> bool:
    return visitor.page.url.removeprefix(visitor.url).partition("?")[0] in ("", "/")


@pytest.fixture
def second(browser: BrowserContext, visitor: Visit) -> Iterator[Visit]:
    """Another tab beside the visitor's."""
    with visit(browser, visitor.url) as other:
        other.open("?refresh=2s")
        yield other
    assert other.complaints == []


def test_two_tabs_have_choices_of_their_own_and_one_system(visitor: Visit, second: Visit, stack: Stack) -> None:
    choice(second, second.sidebar, "1h").click()
    second.page.wait_for_url(re.compile("range=1h"))
    second.go("Audience")
    second.charts(PAGES["Audience"])
    visitor.page.reload()
    visitor.arrived("Overview")
    expect(choice(visitor, visitor.sidebar, "15m")).to_be_checked()
    visitor.charts(PAGES["Overview"])

    rate = visitor.sidebar.get_by_role("spinbutton", name="Rate, events per second")
    rate.fill("40")
    rate.press("Enter")
    eventually(lambda: status(stack)["target_rate"] == 40, "a rate of 40")
    expect(second.sidebar.get_by_role("spinbutton", name="Rate, events per second")).to_have_value("40")
    # the page has drawn its buttons anew by then: a click on those of before has no effect
    expect(visitor.sidebar.get_by_text("Rate is 40 events/s.")).to_be_visible()

    visitor.sidebar.get_by_role("button", name="Stop").click()
    eventually(lambda: state(stack) == "stopped", "the generator has stopped")
    expect(second.sidebar.get_by_text("Stopped").first).to_be_visible()
    expect(second.sidebar.get_by_role("button", name="Start")).to_be_enabled()

    # one presses Start while the other still shows it too: it runs once, and nobody sees an error
    second.sidebar.get_by_role("button", name="Start").click()
    eventually(lambda: state(stack) == "running", "the generator runs")
    visitor.page.reload()
    visitor.arrived("Overview")
    expect(visitor.sidebar.get_by_role("button", name="Stop")).to_be_visible()


def test_a_click_on_what_another_tab_has_done_already_is_explained(tab: Visit, stack: Stack) -> None:
    """The button was drawn before the generator was stopped elsewhere."""
    tab.open("?refresh=paused")
    button = tab.sidebar.get_by_role("button", name="Pause")
    expect(button).to_be_enabled()
    httpx.post(f"{stack.url('generator')}/generator/stop", timeout=STEP_S).raise_for_status()
    button.click()
    expect(tab.sidebar.get_by_test_id("stAlert").first).to_be_visible()
    expect(tab.sidebar.get_by_role("button", name="Start")).to_be_visible()
