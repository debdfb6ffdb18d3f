from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from shared.logging import RateLimitFilter, configure_logging


def record(name: str) -> logging.LogRecord:
    return logging.LogRecord(name, logging.WARNING, __file__, 1, "Invalid HTTP request received.", None, None)


def test_lines_that_clients_cause_are_bounded_in_a_minute_and_others_are_not() -> None:
    now = 0.0
    provoked = RateLimitFilter(lambda: now)
    assert sum(provoked.filter(record("uvicorn.error")) for _ in range(1000)) == 100
    assert all(provoked.filter(record("services.ksql.engine")) for _ in range(1000))
    now = 60.0
    assert provoked.filter(record("uvicorn.error"))


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    written = io.StringIO()
    monkeypatch.setattr("sys.stderr", written)
    root, kept = logging.getLogger(), logging.getLogger().handlers[:]
    level, config = root.level, structlog.get_config()
    try:
        configure_logging("demo")
        yield written
    finally:
        root.handlers[:] = kept
        root.setLevel(level)
        structlog.configure(**config)
        structlog.contextvars.clear_contextvars()


@pytest.mark.parametrize("name", ["uvicorn.error", "shared.problems"])
def test_the_last_line_says_that_no_more_come(lines: io.StringIO, name: str) -> None:
    for _ in range(150):
        # uvicorn's as it comes up to the root logger: Streamlit, where it ran in this process before, keeps it from there
        structlog.get_logger(name).warning("away") if name == "shared.problems" else logging.root.handle(record(name))
    written = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert len(written) == 100
    assert ["muted_s" in line for line in written] == [False] * 99 + [True]
