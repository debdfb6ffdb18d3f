"""Pictures of every page for the README and docs, when they are asked for."""

from __future__ import annotations

import os
from io import BytesIO
from itertools import product
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser

from tests.browser.driving import PAGES, visit
from tests.stack import REPOSITORY

pytestmark = [pytest.mark.stack, pytest.mark.browser]


#: width, height, name
SIZES = ((1280, 800, "desk"), (390, 844, "phone"))


@pytest.mark.skipif(os.environ.get("PAGEPULSE_SCREENSHOTS") != "1", reason="PAGEPULSE_SCREENSHOTS=1 takes pictures")
def test_pictures(browser: Browser, dashboard: str, flowing: None) -> None:
    """All in one test, so that the load goes on between them."""
    folder = Path(REPOSITORY) / "docs" / "images"
    folder.mkdir(parents=True, exist_ok=True)
    for dark, (width, height, size) in product((False, True), SIZES):
        with visit(browser, dashboard, width=width, height=height, dark=dark) as visiting:
            for title, charts in PAGES.items():
                # by address: on a phone the navigation is folded away
                visiting.page.goto(f"{dashboard}/{'' if title == 'Overview' else title.lower()}?range=15m")
                visiting.arrived(title)
                visiting.charts(charts)
                visiting.page.wait_for_timeout(2_000)  # the map and the fonts, which nothing announces
                name = f"{title.lower()}-{size}-{'dark' if dark else 'light'}.png"
                save(visiting.page.screenshot(), folder / name)


def save(picture: bytes, path: Path) -> None:
    """As a PNG with a palette: a third of the size, and flat colours look the same."""
    palette = Image.open(BytesIO(picture)).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    palette.save(path, optimize=True)
