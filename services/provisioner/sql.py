"""Read-only SQL for people: one SELECT on Pinot, or one pull query on ksqlDB, bounded in rows and in time.

Neither server is sent anything that could change it: the text must be one SELECT, and its LIMIT must be within the bound.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from datetime import timedelta
from time import perf_counter
from typing import Any, Final, Literal

from services.provisioner.errors import StatementRejected
from services.provisioner.pipeline import Servers
from shared.errors import DeadlineExceeded, Unprocessable, UpstreamError

MAX_ROWS: Final = 1_000
#: for a SELECT without LIMIT
DEFAULT_ROWS: Final = 100
MAX_TEXT: Final = 10_000
WITHIN: Final = timedelta(seconds=10)

#: one token that may hide others: a quoted text or name, or a comment
_QUOTED: Final = re.compile(r"('(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`)|--[^\n]*|/\*.*?\*/", re.DOTALL)
_LIMIT: Final = re.compile(r"\blimit\s+(\d+)(?:\s*,\s*(\d+)|\s+offset\s+\d+)?\s*$", re.IGNORECASE)
#: Pinot's codes for a server that is slow or unavailable; all others are about the query
_SERVERS_FAULT: Final = frozenset({210, 240, 250, 305, 400, 410, 420, 425, 427})


Engine = Literal["pinot", "ksql"]


@dataclass(frozen=True, slots=True)
class Answer:
    """``sql`` is what was run; ``cut`` whether there were more rows than the bound."""

    engine: Engine
    sql: str
    columns: list[str]
    rows: list[list[Any]]
    cut: bool
    took_ms: float


async def run(servers: Servers, engine: Engine, sql: str) -> Answer:
    """Runs one query.

    Raises:
        Unprocessable: it is not one SELECT, asks for too many rows, or the server does not take it; the detail says why.
        DeadlineExceeded: it took longer than ten seconds.
        PagePulseError: the server does not answer.
    """
    text = bounded(sql, engine)
    began = perf_counter()
    try:
        async with asyncio.timeout(WITHIN.total_seconds()):
            columns, rows = await (_pinot(servers, text) if engine == "pinot" else _ksql(servers, text))
    except TimeoutError as error:
        seconds = f"{WITHIN.total_seconds():.0f}"
        raise DeadlineExceeded(f"The query took longer than {seconds} s: narrow it, for example by time.") from error
    took_ms = (perf_counter() - began) * 1000
    return Answer(engine, text, columns, rows[:MAX_ROWS], len(rows) > MAX_ROWS, took_ms)


def bounded(sql: str, engine: Engine) -> str:
    """The query without comments and with a LIMIT. Raises Unprocessable if it is not one SELECT, or has a larger one."""
    text = _QUOTED.sub(lambda found: found[1] or " ", sql).strip().rstrip(";").strip()
    bare = _QUOTED.sub("''", text)
    if not re.match(r"(select|with)\b", bare, re.IGNORECASE):
        raise Unprocessable("sql: only a query can be run here: it must begin with SELECT.")
    if ";" in bare:
        raise Unprocessable("sql: one query at a time: remove the semicolon and what follows it.")
    if re.search(r"\bemit\s+(changes|final)\b", bare, re.IGNORECASE):
        raise Unprocessable("sql: a push query never ends: leave EMIT CHANGES out, or browse the topic's records.")
    limit = _LIMIT.search(bare)
    if limit is None:
        text = f"{text} LIMIT {DEFAULT_ROWS}"
    elif int(limit[2] or limit[1]) > MAX_ROWS:
        raise Unprocessable(f"sql: at most {MAX_ROWS:,} rows: LIMIT {MAX_ROWS}.")
    return f"{text};" if engine == "ksql" else text


async def _pinot(servers: Servers, text: str) -> tuple[list[str], list[list[Any]]]:
    try:
        return await servers.pinot.table_of(text, options=f"timeoutMs={int(WITHIN.total_seconds() * 1000)}")
    except UpstreamError as error:
        code = error.extra.get("error_code")
        if code is None or code in _SERVERS_FAULT:
            raise
        raise Unprocessable(_first_line(error.detail)) from error


async def _ksql(servers: Servers, text: str) -> tuple[list[str], list[list[Any]]]:
    try:
        return await servers.ksql.rows(text)
    except StatementRejected as error:
        raise Unprocessable(error.detail[:500]) from error


def _first_line(text: str) -> str:
    """Pinot puts its stack trace behind the message."""
    return "\n".join(line for line in text.splitlines() if not line.startswith(("\tat ", "\t...")))[:500]
