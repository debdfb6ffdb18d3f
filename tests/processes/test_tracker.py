"""The tracker in Chromium against a collector without brokers: its journal has what was sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext, Page, async_playwright

from tests.browser.driving import ARGUMENTS, CHROMIUM, PATIENCE_MS
from tests.collector import CollectorProcess
from tests.patience import eventually
from tests.ports import free_port

pytestmark = pytest.mark.browser

BLOCKED = """Object.defineProperty(window, "sessionStorage", {get() { throw new DOMException("blocked", "SecurityError"); }});"""


@asynccontextmanager
async def chromium() -> AsyncIterator[BrowserContext]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        context = await browser.new_context()
        context.set_default_timeout(PATIENCE_MS)
        try:
            yield context
        finally:
            await browser.close()


@asynccontextmanager
async def started(folder: Path, **environment: str) -> AsyncIterator[CollectorProcess]:
    collector = CollectorProcess(folder)
    try:
        await collector.start(**environment)
        yield collector
    finally:
        await collector.clean_up()


async def sees(collector: CollectorProcess, *pages: str) -> None:
    """Waits until these page views, in order, are all that the collector has."""

    def seen() -> list[str]:
        return [view["page"] for view in collector.journalled()]

    await eventually(lambda: len(seen()) >= len(pages), lambda: f"{pages}, only {seen()}")
    assert seen() == list(pages)


async def push(page: Page, path: str, how: str = "pushState") -> None:
    await page.evaluate("([how, path]) => history[how](null, '', path)", [how, path])


async def test_each_page_of_the_shop_is_one_view_also_offline_and_in_a_single_page_application(tmp_path: Path) -> None:
    async with started(tmp_path) as collector, chromium() as context:
        page = await context.new_page()
        await page.goto(f"{collector.url}/shop")
        await sees(collector, "/shop")
        await page.get_by_role("navigation").get_by_role("link", name="Lamps").click()
        await page.get_by_text("You viewed /shop/lamps.html").wait_for()
        await sees(collector, "/shop", "/shop/lamps.html")

        await push(page, "/shop/dusk")
        await push(page, "/shop/dusk", "replaceState")  # the same path is the same page
        await push(page, "/shop/dawn")
        await page.go_back()
        clicked = ["/shop", "/shop/lamps.html", "/shop/dusk", "/shop/dawn", "/shop/dusk"]
        await sees(collector, *clicked)

        await context.set_offline(True)
        for number in range(3):
            async with page.expect_event("requestfailed"):
                await push(page, f"/shop/offline/{number}")
        await context.set_offline(False)
        await sees(collector, *clicked, *(f"/shop/offline/{number}" for number in range(3)))
        views = collector.journalled()

    assert len({view["session_id"] for view in views}) == 1
    assert {view["source"] for view in views} == {"Homepage"}


async def test_without_storage_views_are_sent_and_the_page_sees_no_error(tmp_path: Path) -> None:
    async with started(tmp_path) as collector, chromium() as context:
        await context.add_init_script(BLOCKED)
        page = await context.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        await page.goto(f"{collector.url}/shop/?utm_medium=email")
        await push(page, "/shop/second")
        await sees(collector, "/shop", "/shop/second")
        views = collector.journalled()

    assert errors == []
    assert [view["source"] for view in views] == ["Inbox", "Homepage"]
    assert len({view["session_id"] for view in views}) == 1


@asynccontextmanager
async def site(tracker: str, port: int) -> AsyncIterator[str]:
    """The origin of a web site that has one page at every address, with the tracker in it."""
    body = f'<!doctype html><title>A site</title><script src="{tracker}" defer></script>'.encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(head.encode() + body)
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", port):
        yield f"http://127.0.0.1:{port}"


async def test_a_page_of_an_origin_that_is_not_allowed_is_refused(tmp_path: Path) -> None:
    port, other = free_port(), free_port()
    async with (
        started(tmp_path, PAGEPULSE_ALLOWED_ORIGINS=f"http://127.0.0.1:{port}") as collector,
        site(f"{collector.url}/pagepulse.js", port) as allowed,
        site(f"{collector.url}/pagepulse.js", other) as refused,
        chromium() as context,
    ):
        page = await context.new_page()
        async with page.expect_event("requestfailed", lambda request: request.url == f"{collector.url}/collect"):
            await page.goto(f"{refused}/refused")
        await page.goto(f"{allowed}/allowed")
        await sees(collector, "/allowed")
