"""The dashboard while every server is unavailable, in Chromium: it needs no stack."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.browser.driving import PAGES, STRIP, streamlit_server, visit

pytestmark = pytest.mark.browser


@pytest.fixture
def alone() -> Iterator[str]:
    """A dashboard whose servers are unavailable."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}"
        names = (
            "GENERATOR",
            "SEEDER",
            "COLLECTOR",
            "PROVISIONER",
            "PINOT_BROKER",
            "PINOT_CONTROLLER",
            "KSQL",
            "CONNECT",
        )
        addresses = {f"PAGEPULSE_{name}_URL": nobody for name in names}
        with streamlit_server(["services.dashboard"], "PAGEPULSE_PORT", addresses) as url:
            yield url


def test_with_the_backend_away_it_says_which_part_and_where_to_look(browser: BrowserContext, alone: str) -> None:
    with visit(browser, alone) as visiting:
        visiting.open()
        expect(visiting.main.get_by_text("The provisioner is unavailable")).to_be_visible()
        expect(visiting.main.get_by_text("pagepulse status").first).to_be_visible()
        expect(visiting.main.get_by_role("list", name=STRIP)).to_contain_text("unknown")
        assert visiting.metric("Events per second") == "–"
        assert visiting.barriers("Overview") == []
        for title in list(PAGES)[1:]:
            visiting.go(title)
            expect(visiting.main.get_by_test_id("stException")).to_have_count(0)
    assert visiting.complaints == []
