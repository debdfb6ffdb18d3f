"""Text from outside in log lines: one event is one line, whatever it holds, and none is lost."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from shared.logging import configure_logging

HOSTILE = 'a\n{"event": "forged"}\r\x1b[2J\ud800'


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_an_event_is_one_line_without_control_characters(log_format: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("test", "INFO", log_format)
    logging.getLogger("library").warning("plain %s", HOSTILE)
    structlog.get_logger("ours").warning("event", value=HOSTILE, thing=object())
    lines = capsys.readouterr().err.split("\n")[:-1]
    assert len(lines) == 2
    assert "\x1b[2J" not in "".join(lines)
    if log_format == "json":
        assert [json.loads(line)["level"] for line in lines] == ["warning", "warning"]
