"""Every page as somebody finds it who comes by a link: silent console, accessible, in light and dark, on a desk and on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, Response, expect

from tests.browser.driving import PAGES, PATIENCE_MS, Visit, visit

pytestmark = [pytest.mark.stack, pytest.mark.browser]

_AXE: Final = files("axe_playwright_python").joinpath("axe.min.js").read_text()
#: what axe calls these is a barrier for somebody
_BARRIERS: Final = ("serious", "critical")


@contextmanager
def strict(browser: Browser, url: str, **options: Any) -> Iterator[Visit]:
    """A visit in which not even a warning, or an answer 404 to a probe, may be seen in the console."""
    said: list[str] = []
    with visit(browser, url, **options) as visiting:
        visiting.page.on("console", lambda message: said.extend([f"{message.type}: {message.text}"]))
        visiting.page.on("response", lambda answer: said.extend(refused(answer)))
        yield visiting
    assert visiting.complaints == []
    assert said == []


def refused(answer: Response) -> list[str]:
    """What is to be said of an answer that is an error."""
    return [f"{answer.status}: {answer.url}"] if answer.status >= 400 else []


@pytest.mark.parametrize("title", PAGES)
def test_a_link_to_a_page_leaves_the_console_silent(
    browser: Browser, dashboard: str, flowing: None, title: str
) -> None:
    with strict(browser, dashboard) as visiting:
        visiting.arrive(title)
        visiting.page.go_back()
        visiting.page.go_forward()
        visiting.arrived(title)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390], ids=["desk", "phone"])
def test_axe_finds_no_barrier_on_any_page(
    browser: Browser, dashboard: str, flowing: None, dark: bool, width: int
) -> None:
    found = []
    with visit(browser, dashboard, width=width, dark=dark) as visiting:
        for title in PAGES:
            visiting.arrive(title)
            visiting.page.evaluate(_AXE)
            violations = visiting.page.evaluate("axe.run({resultTypes: ['violations']}).then(r => r.violations)")
            found += [
                f"{title}: {each['id']} ({each['impact']}): {each['nodes'][0]['html'][:200]}"
                for each in violations
                if each["impact"] in _BARRIERS
            ]
            # nothing stands beside the window
            assert visiting.page.evaluate("document.documentElement.scrollWidth") <= width
    assert found == []


def test_the_keyboard_alone_reaches_the_controls_with_their_names(
    browser: Browser, dashboard: str, flowing: None
) -> None:
    with visit(browser, dashboard) as visiting:
        visiting.arrive("Overview")
        name = """() => { const e = document.activeElement;
            return e.getAttribute('aria-label') || e.innerText || e.labels?.[0]?.innerText || e.title || '' }"""
        outline = (
            "getComputedStyle(document.activeElement).outlineStyle + getComputedStyle(document.activeElement).boxShadow"
        )
        reached, unseen = [], []
        for _ in range(60):
            visiting.page.keyboard.press("Tab")
            reached.append(str(visiting.page.evaluate(name)).strip())
            inside = visiting.page.evaluate("document.activeElement !== document.body")
            if inside and visiting.page.evaluate(outline) == "nonenone":
                unseen.append(reached[-1])
        for wanted in ("Rate, events per second", "Rate", "Stop", "Pause", "Compare with the period before", "Data"):
            assert any(wanted in each for each in reached), (wanted, reached)
        assert all(reached[:25]), reached
        assert unseen == []


def test_the_guidance_is_folded_and_can_be_brought_back(browser: Browser, dashboard: str, flowing: None) -> None:
    with visit(browser, dashboard) as visiting:
        visiting.arrive("Overview")
        expect(visiting.main.get_by_text("Next:")).to_have_count(0)
        expect(visiting.main.get_by_text("Bars: the last 15 minutes, one for each minute")).to_be_visible()
        visiting.main.get_by_text("What is on this page").click()
        expect(visiting.main.get_by_role("list", name="The way of an event")).to_be_visible(timeout=PATIENCE_MS)
