"""The verdict: the source topics against the generator, the join and the tables against an independent recomputation, and the
provisioner's own audit."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.drills.acknowledgements import Starts, tally, without_login
from benchmarks.drills.environment import Environment
from benchmarks.drills.events import arrivals, enriched_views
from benchmarks.drills.join import JoinCheck, Versions, check_join
from benchmarks.drills.load import Load
from deploy.local.errors import StackError
from shared import topics
from tests.integration.comparison import actual_tables, table_differences
from tests.integration.recompute import MINUTE, Event, Raw, Table, average_age, sessions, table, windows
from tests.integration.sources import read_topic

_SOURCES: Final = (topics.PAGE_VIEW, topics.USER_SESSION, topics.USERS)
_JOINED: Final = (topics.CLEANED_USERS, topics.PAGE_VIEW_ENRICHED)
#: the pipeline may still be at work when the load has ended
_SETTLE_S: Final = 180.0
_PAUSE_S: Final = 2.0
_AUDITS: Final = 3
#: tables that count each event once
_ONCE: Final = {"pageview_tumbling": "view_count", "usersession_device": "session_count"}
_EXAMPLES: Final = 5

Tables = dict[str, tuple[Table, int]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """``lost`` and ``doubled``: events, the worst of topics, join and tables."""

    lost: int
    doubled: int
    equal: bool
    notes: list[str]


async def verify(environment: Environment, load: Load, starts: Starts) -> Verdict:
    """After the load has ended. Waits for the pipeline to have worked off what there is."""
    audit = await _audit(environment)
    records = {topic: await read_topic(environment.stack.kafka_bootstrap, topic) for topic in _SOURCES}
    in_topics = tally(load, environment.sent, starts, records)
    deadline = time.monotonic() + _SETTLE_S
    while True:
        records |= {topic: await read_topic(environment.stack.kafka_bootstrap, topic) for topic in _JOINED}
        join, expected = await asyncio.to_thread(recompute, records)
        actual = await actual_tables(environment.ports.url("pinot_broker"), expected)
        differences = table_differences(expected, actual)
        if (join.clean and not differences) or time.monotonic() > deadline:
            break
        await asyncio.sleep(_PAUSE_S)
    if load.sent is None and (orphans := without_login(records)):
        environment.notes.append(f"{orphans} sessions have views and no login")
    lost, doubled = _counted(expected, actual)
    return Verdict(
        lost=max(in_topics.lost, join.lost, lost),
        doubled=max(in_topics.doubled, join.doubled, doubled),
        equal=bool(audit["ok"]) and join.clean and not differences,
        notes=[*_complaints(audit), *join.examples[:_EXAMPLES], *differences[:_EXAMPLES]],
    )


def recompute(records: dict[str, list[Raw]]) -> tuple[JoinCheck, dict[str, Table]]:
    """The join checked, and what every table must hold, with the pipeline's default windows. The country table is computed from
    the joined views, of which the check has just said whether they are right."""
    views = list(arrivals(records[topics.PAGE_VIEW], "event_timestamp", "source"))
    logins = list(arrivals(records[topics.USER_SESSION], "login_timestamp", "device"))
    joined = list(enriched_views(records[topics.PAGE_VIEW_ENRICHED]))
    check = check_join(views, joined, Versions(records[topics.USERS]), Versions(records[topics.CLEANED_USERS]))
    viewed = sorted((view.event for view in views), key=lambda event: event.time)
    pages = [view.event for view in arrivals(records[topics.PAGE_VIEW], "event_timestamp", "page")]
    by_country = (Event(row.time, row.user_id, row.country, row.age) for row in joined)
    return check, {
        "pageview_country": table(windows(by_country, 5 * MINUTE, 5 * MINUTE), "country", extra=average_age),
        "pageview_tumbling": table(windows(viewed, MINUTE, MINUTE), "source"),
        "pageview_hopping": table(windows(viewed, 5 * MINUTE, MINUTE), "source"),
        "pageview_session": table(sessions(viewed, 30_000), "source"),
        "usersession_device": table(
            windows((login.event for login in logins), MINUTE, MINUTE), "device", count="session_count"
        ),
        "pageview_page": table(windows(pages, 5 * MINUTE, 5 * MINUTE), "page"),
    }


async def _audit(environment: Environment) -> dict[str, Any]:
    """The provisioner's. A server that is still busy with its recovery may refuse the first."""
    for turn in range(_AUDITS):
        try:
            return await environment.services.verify()
        except StackError as error:
            if turn == _AUDITS - 1:
                return {"ok": False, "tables": [], "error": error.reason}
            await asyncio.sleep(_PAUSE_S)
    raise AssertionError("unreachable")


def _complaints(audit: dict[str, Any]) -> list[str]:
    found = [f"audit: {audit['error']}"] if "error" in audit else []
    for entry in audit["tables"]:
        wrong = {kind: entry[kind] for kind in ("missing", "extra", "different") if entry[kind]}
        if wrong:
            found.append(f"audit of {entry['table']} ({entry['side']}): {wrong}, for example {entry['examples'][:1]}")
    return found


def _counted(expected: dict[str, Table], actual: Tables) -> tuple[int, int]:
    """Events too few and too many in the tables that count each event once."""
    lost = doubled = 0
    for name, count in _ONCE.items():
        rows = actual[name][0]
        for key in expected[name].keys() | rows.keys():
            surplus = rows.get(key, {}).get(count, 0) - expected[name].get(key, {}).get(count, 0)
            lost += max(0, -surplus)
            doubled += max(0, surplus)
    return lost, doubled
