"""Pictures of every page for the README and docs, when they are asked for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.driving import PAGES, visit
from tests.stack import REPOSITORY

pytestmark = [pytest.mark.stack, pytest.mark.browser]


@pytest.mark.skipif(os.environ.get("PAGEPULSE_SCREENSHOTS") != "1", reason="PAGEPULSE_SCREENSHOTS=1 takes pictures")
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(("width", "height", "size"), [(1280, 800, "desk"), (390, 844, "phone")])
def test_pictures(
    browser: Browser, dashboard: str, flowing: None, dark: bool, width: int, height: int, size: str
) -> None:
    """Pictures of every page for the README and docs."""
    folder = Path(REPOSITORY) / "docs" / "images"
    folder.mkdir(parents=True, exist_ok=True)
    with visit(browser, dashboard, width=width, height=height, dark=dark) as visiting:
        for title, charts in PAGES.items():
            # by address: on a phone the navigation is folded away
            visiting.page.goto(f"{dashboard}/{'' if title == 'Overview' else title.lower()}?range=15m")
            visiting.arrived(title)
            visiting.charts(charts)
            visiting.page.wait_for_timeout(2_000)  # the map and the fonts, which nothing announces
            name = f"{title.lower()}-{size}-{'dark' if dark else 'light'}.png"
            visiting.page.screenshot(path=folder / name)
