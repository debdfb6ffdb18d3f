"""Verify, Tear down and Apply on the page Pipeline, each to its end."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser.driving import PAGES, Visit, eventually
from tests.browser.system import rows, status
from tests.integration.comparison import DIMENSIONS
from tests.patience import STEP_S, WORK_S
from tests.stack import Stack

pytestmark = [pytest.mark.stack, pytest.mark.browser]


@pytest.fixture
def page(tab: Visit) -> Visit:
    """The page Pipeline with its diagram."""
    tab.arrive("Pipeline")
    expect(tab.main.locator(".flow-node").first).to_be_visible()
    return tab


def test_the_flow_is_connected_and_every_part_that_passes_records_on_has_a_rate(page: Visit) -> None:
    lines = page.main.locator(".flow-arrows path:not(.flow-head):not(.flow-back)")
    # generator and collector to two topics each and the connector to one; seven reads of source topics; eight results; six tables
    expect(lines).to_have_count(5 + 7 + 8 + 6)
    # what a query reads of another query's results
    expect(page.main.locator(".flow-arrows path.flow-back")).to_have_count(2)
    # on a slow machine one may hold
    said = page.main.get_by_text(re.compile("No alert is active|Warning|Urgent"))
    expect(said.first).to_be_visible()
    page.charts(PAGES["Pipeline"])

    rated = re.compile(r"[\d.,]+/s")
    stages = page.main.locator(".flow-stage")
    for title, parts in (("Source topics", 3), ("Queries", 8), ("Result topics", 8), ("Pinot tables", 6)):
        nodes = stages.filter(has_text=title).locator(".flow-node").filter(has_text=rated)
        expect(nodes).to_have_count(parts)
    expect(page.main.locator(".flow-node").filter(has_text="users-source")).to_contain_text(rated)


def press(page: Visit, name: str) -> None:
    page.main.get_by_role("button", name=name, exact=False).last.click()


def says(page: Visit, words: str) -> str:
    """Waits for an outcome; returns its text."""
    message = page.main.get_by_text(re.compile(words)).first
    expect(message).to_be_visible(timeout=WORK_S * 1_000)
    return message.inner_text()


def test_verify_shows_what_the_audit_found(page: Visit, stack: Stack) -> None:
    def audits() -> dict[str, Any]:
        return dict(httpx.get(f"{stack.url('provisioner')}/provisioner/verify", timeout=STEP_S).json())

    def compared() -> bool:
        # on a busy machine the queries may not have read everything yet: it says so, and to verify again
        if page.main.get_by_text("Not caught up").count() and not audits()["running"]:
            press(page, "Verify")
        return page.main.get_by_text(re.compile(equal)).count() > 0

    equal = r"[\d,]+ rows compared, all equal"
    press(page, "Verify")
    eventually(compared, "an audit that finds all equal", within_s=WORK_S, every_s=2)
    words = says(page, equal)
    last = audits()["last"]
    assert last["ok"]
    assert words.startswith(f"{sum(table['compared'] for table in last['tables']):,} rows compared")
    expect(page.main.get_by_test_id("stDataFrame").first).to_be_visible()


def test_tear_down_and_apply(page: Visit, stack: Stack) -> None:
    press(page, "Tear down")
    page.page.get_by_role("button", name="Tear it down").click()
    says(page, r"Teardown is done: \d+ steps")
    eventually(lambda: status(stack, "provisioner")["state"] == "absent", "the pipeline is absent")
    expect(page.main.get_by_text("Not set up").first).to_be_visible()

    page.go("Overview")
    expect(page.main.get_by_text("The pipeline is not set up yet.").first).to_be_visible()
    expect(page.main.get_by_role("button", name="Apply")).to_be_visible()

    page.go("Pipeline")
    press(page, "Apply")
    says(page, r"Apply is done: \d+ steps")
    eventually(lambda: bool(status(stack, "provisioner")["ready"]), "a pipeline that is ready")
    for table in DIMENSIONS:
        eventually(lambda table=table: rows(stack, table) > 0, f"rows in {table}")  # type: ignore[misc]
