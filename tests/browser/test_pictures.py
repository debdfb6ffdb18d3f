"""Pictures of every page for the README and docs, when they are asked for."""

from __future__ import annotations

import os
import time
from io import BytesIO
from itertools import product
from pathlib import Path

import httpx
import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, expect

from tests.browser.driving import PAGES, visit
from tests.browser.system import state
from tests.patience import STEP_S
from tests.stack import REPOSITORY, Stack

pytestmark = [pytest.mark.stack, pytest.mark.browser]

IMAGES = Path(REPOSITORY) / "docs" / "images"
#: width, height, name
SIZES = ((1280, 800, "desktop"), (390, 844, "phone"))
_MOST_BYTES = 3_000_000
#: px; a page that is longer is shown as far
_TALLEST = 1_250

asked = pytest.mark.skipif(
    os.environ.get("PAGEPULSE_SCREENSHOTS") != "1", reason="PAGEPULSE_SCREENSHOTS=1 takes pictures"
)


@asked
def test_pictures(browser: BrowserContext, dashboard: str, stack: Stack) -> None:
    """All in one test, of the load that there is: of a stack that has generated for ten minutes (``PAGEPULSE_TEST_STACK``) the charts are
    filled."""
    assert state(stack) == "running"
    for dark, (width, height, size) in product((False, True), SIZES):
        with visit(browser, dashboard, width=width, height=height, dark=dark) as visiting:
            for title in PAGES:
                visiting.page.set_viewport_size({"width": width, "height": height})
                # by address: on a phone the navigation is collapsed
                visiting.arrive(title)
                if title == "SQL":
                    visiting.main.get_by_role("button", name="Run").click()
                    expect(visiting.main.get_by_test_id("stDataFrame")).to_be_visible()
                if size == "desktop":
                    length = visiting.page.get_by_test_id("stMain").evaluate("main => main.scrollHeight")
                    visiting.page.set_viewport_size({"width": width, "height": max(height, min(length, _TALLEST))})
                visiting.page.wait_for_timeout(2_000)  # the map and the fonts, which nothing announces
                name = f"{title.lower()}-{size}-{'dark' if dark else 'light'}.png"
                save(visiting.page.screenshot(), IMAGES / name)


@asked
def test_animation(browser: BrowserContext, dashboard: str, stack: Stack) -> None:
    """From Start to a higher rate that the charts follow, for the README: three minutes in fifteen seconds."""
    httpx.post(f"{stack.url('generator')}/generator/stop", timeout=STEP_S)
    frames: list[Image.Image] = []
    with visit(browser, dashboard, width=1280, height=800) as visiting:
        visiting.open("?range=5m&refresh=2s")
        expect(visiting.main.get_by_test_id("stMetric")).to_have_count(6)
        rate = visiting.sidebar.get_by_role("spinbutton", name="Rate, events per second")

        def choose(value: str) -> None:
            rate.fill(value)
            rate.press("Enter")

        def watch(seconds: float) -> None:
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                frames.append(Image.open(BytesIO(visiting.page.screenshot())).convert("RGB"))
                visiting.page.wait_for_timeout(2_500)

        watch(5)
        choose("100")
        watch(5)
        visiting.sidebar.get_by_role("button", name="Start").click()
        watch(80)
        choose("600")
        watch(95)
    # one palette: only what changes is in a frame
    palette = frames[-1].quantize(128, dither=Image.Dither.NONE)
    drawn = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    times = [200] * (len(drawn) - 1) + [3_000]
    path = IMAGES / "demo.gif"
    drawn[0].save(path, save_all=True, append_images=drawn[1:], duration=times, loop=0, optimize=True)
    assert path.stat().st_size < _MOST_BYTES


def save(picture: bytes, path: Path) -> None:
    """As a PNG with a palette: a third of the size, and flat colours look the same."""
    palette = Image.open(BytesIO(picture)).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    palette.save(path, optimize=True)
