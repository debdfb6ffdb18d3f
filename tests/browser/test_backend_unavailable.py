"""The dashboard while servers are unavailable, in Chromium, with imitated servers: it needs no stack."""

from __future__ import annotations

from itertools import product

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser.driving import PAGES, STRIP, Visit, eventually
from tests.browser.imitation import Imitation

pytestmark = pytest.mark.browser


def test_colours_are_right_once_the_theme_has_changed(visiting: Visit) -> None:
    """Streamlit takes the browser's theme over while the page is shown; a part of the page may follow a moment later."""
    for title in ("Overview", "Controls"):
        visiting.page.emulate_media(color_scheme="light")
        visiting.arrive(title)
        visiting.page.emulate_media(color_scheme="dark")
        expect(visiting.page.locator(".stApp")).to_have_css("background-color", "rgb(18, 22, 28)")
        visiting.free_of_barriers(title)


def test_code_can_be_read_in_both_themes(visiting: Visit, imitated: Imitation) -> None:
    value = {"session_id": "a", "user_id": 1, "page": None}
    place = {"partition": 0, "offset": 7, "timestamp": 1_795_000_000_000, "size": 40, "headers": []}
    imitated.services.records = [{**place, "key": "a", "value": value}]
    for title, dark in product(("Records", "Sources"), (False, True)):
        visiting.page.emulate_media(color_scheme="dark" if dark else "light")
        visiting.arrive(title)
        if title == "Sources":
            visiting.main.get_by_role("button", name="Data").first.click()
        expect(visiting.page.get_by_test_id("stCode").first.locator(".token").first).to_be_visible()
        visiting.free_of_barriers(title)


def test_with_the_generator_away_the_controls_say_so(visiting: Visit, imitated: Imitation) -> None:
    imitated.services.unavailable.add("generator")
    visiting.to("controls")
    visiting.arrived("Controls")
    expect(visiting.main.get_by_text("generator at http").first).to_be_visible()
    expect(visiting.main.get_by_text("pagepulse logs generator")).to_be_visible()
    visiting.free_of_barriers("Controls without generator")


def test_with_every_server_away_it_says_which_part_and_where_to_look(visiting: Visit, imitated: Imitation) -> None:
    imitated.services.unavailable.update({"generator", "seeder", "provisioner", "collect"})
    imitated.pinot.failure = httpx.ConnectError("refused")
    visiting.open()
    expect(visiting.main.get_by_text("The provisioner is unavailable")).to_be_visible()
    expect(visiting.main.get_by_text("pagepulse status").first).to_be_visible()
    expect(visiting.main.get_by_role("list", name=STRIP)).to_contain_text("unknown")
    eventually(lambda: visiting.metric("Events per second") == "–", "no rate")
    visiting.free_of_barriers("Overview")
    for title in list(PAGES)[1:]:
        visiting.go(title)
        expect(visiting.main.get_by_test_id("stException")).to_have_count(0)
