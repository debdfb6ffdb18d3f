"""structlog, set up once per process: JSON lines for machines, colours for people."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable

import structlog
from structlog.typing import EventDict, Processor

from shared.json import dumps

#: loggers to which a client can cause a line with each request: requests that are not HTTP, requests that fail
_LIMITED = ("uvicorn.error", "shared.problems")
_AT_MOST, _WITHIN_S = 100, 60.0


class RateLimitFilter(logging.Filter):
    """Bounds the lines of these loggers per minute, the last one marked: a client must not fill the disk."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._since, self._passed = clock(), 0

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name not in _LIMITED:
            return True
        now = self._clock()
        if now - self._since >= _WITHIN_S:
            self._since, self._passed = now, 0
        self._passed += 1
        if self._passed == _AT_MOST:
            mark = record.msg if isinstance(record.msg, dict) else record.__dict__
            mark["muted_s"] = round(_WITHIN_S - (now - self._since))
        return self._passed <= _AT_MOST


def configure_logging(service: str, level: str = "INFO", log_format: str = "json") -> None:
    """Sends structlog and the standard library's logging through the same processors, one line per event on stderr."""
    common: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    renderer: list[Processor] = (
        # The default one shows the variables of every frame, and so passwords.
        [
            _visible,
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            ),
        ]
        if log_format == "console"
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(serializer=_json)]
    )
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *common, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=common,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    handler.addFilter(RateLimitFilter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # One line per request from httpx and aiokafka's rebalancing notes drown what matters.
    for noisy in ("httpx", "httpcore", "aiokafka", "uvicorn.access", "faker"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLevelName(level)))
    structlog.contextvars.bind_contextvars(service=service)


def _json(value: object, **_: object) -> str:
    try:
        return dumps(value).decode()
    except TypeError:  # half a surrogate pair, or an object that is no JSON: the line must not be lost
        return json.dumps(value, default=str)


def _visible(_logger: object, _method: str, event: EventDict) -> EventDict:
    """The message on one line that does not steer the terminal; the renderer does so for the values."""
    text = str(event.get("event", ""))
    event["event"] = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return event
