"""The guidance of the Overview through every state of the system, in Chromium, with imitated servers: it needs no stack."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.driving import STRIP, Visit
from tests.browser.imitation import Imitation

pytestmark = pytest.mark.browser

PARTS = ("Users", "Load", "Kafka topics", "Queries", "Pinot tables", "Dashboard")


def test_it_says_what_is_missing_and_what_to_press_and_is_folded_once_all_runs(
    visiting: Visit, imitated: Imitation
) -> None:
    services, main = imitated.services, visiting.main
    ready, states = services.pipeline, ("absent", "no users", "stopped", "paused", "generator away")
    words = (
        "The pipeline is not set up yet.",
        "There are no users.",
        "No load is generated.",
        "The generator is paused.",
        "The generator is unavailable",
    )
    for state, sentence in zip(states, words, strict=True):
        services.pipeline = {"state": "absent", "resources": []} if state == "absent" else ready
        services.users = 0 if state == "no users" else 1000
        services.generator["state"] = state if state in ("stopped", "paused") else "running"
        services.unavailable = {"generator"} if state == "generator away" else set()
        if state == "absent":
            visiting.open("?refresh=2s")
        expect(main.locator(".st-key-guidance")).to_contain_text(f"Next: {sentence}")
        for label, offered in (("Apply", "absent"), ("Seed 1,000 users", "no users")):
            expect(main.get_by_role("button", name=label)).to_have_count(int(state == offered))
    strip = main.get_by_role("list", name=STRIP)
    for part in PARTS:
        expect(strip.get_by_text(part, exact=True)).to_be_visible()

    services.unavailable = set()
    expect(main.get_by_text("Next:")).to_have_count(0)
    expect(strip).not_to_be_visible()
    main.get_by_text("About this page").click()
    expect(strip).to_be_visible()
