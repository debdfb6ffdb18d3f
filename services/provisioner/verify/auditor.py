"""Runs an audit.

The sources are read up to a snapshot of their ends and every table is computed from them. Then the sinks and Pinot are read, and after
that what the sources have got meanwhile: rows which that may touch are skipped, so the audit is right while events keep coming. The
pipeline may still be working on what is in the snapshot; differences therefore count only if they last.
"""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from services.provisioner.decoding import key_decoders
from services.provisioner.durations import milliseconds
from services.provisioner.pipeline import Servers
from services.provisioner.recompute.columns import EnrichedColumns
from services.provisioner.recompute.compare import Comparison, Handling, compare_tables
from services.provisioner.recompute.join import audit_join
from services.provisioner.recompute.pipeline import (
    Tables,
    add_enriched,
    add_logins,
    add_views,
    bounds_by_arrival,
    empty_tables,
)
from services.provisioner.recompute.rows import Identity, Row
from services.provisioner.recompute.sessions import Sessions
from services.provisioner.recompute.users import Users
from services.provisioner.recompute.windows import TimeWindows
from services.provisioner.settings import Settings
from services.provisioner.verify.report import AuditReport, Progress, Side, TableReport
from services.provisioner.verify.sinks import EnrichedSink, UsersSink, WindowedSink, pinot_rows, without_stale_sessions
from services.provisioner.verify.sources import Sources
from shared import topics

#: how long a change may take from the database to the join, and a record from its stamp to its log
_SLACK = timedelta(seconds=5)
_PAUSE = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class _Table:
    """A result table: its computation, its sink, its Pinot table."""

    name: str
    computed: TimeWindows | Sessions
    sink: WindowedSink
    source: str


class Auditor:
    """One audit; ``progress`` may be looked at while it runs."""

    def __init__(self, servers: Servers, settings: Settings) -> None:
        self._servers = servers
        self._settings = settings
        self._slack_ms = milliseconds(_SLACK)
        self.progress = Progress()
        self._sources = Sources(servers.kafka, settings, self._slack_ms, self._count)
        self._decoders = key_decoders(settings)
        self._tables = empty_tables(settings)
        kafka = servers.kafka
        self._users = UsersSink(kafka, topics.CLEANED_USERS, self._decoders[topics.CLEANED_USERS])
        self._enriched = EnrichedSink(
            kafka,
            topics.PAGE_VIEW_ENRICHED,
            self._decoders[topics.PAGE_VIEW_ENRICHED],
            EnrichedColumns(self._sources.views.groups),
        )
        self._windowed = self._window_tables(self._tables)

    async def audit(self) -> AuditReport:
        """Reads, computes, compares.

        Raises:
            PagePulseError: a server is away, or there is too much to read.
        """
        started, begin = datetime.now(UTC), time.monotonic()
        self.progress.phase = "reading the source topics"
        await self._sources.take_snapshot()
        self.progress.phase = "computing the tables"
        await asyncio.to_thread(self._compute)
        deadline = time.monotonic() + self._settings.verify_settle.total_seconds()
        while True:
            reports = await self._compare()
            if all(report.comparison.clean for report in reports) or time.monotonic() > deadline:
                break
            self.progress.phase = "waiting for the pipeline to catch up"
            await asyncio.sleep(_PAUSE.total_seconds())
        self.progress.phase = "done"
        return AuditReport(
            started_at=started,
            took_ms=round((time.monotonic() - begin) * 1000),
            records=dict(self._sources.read),
            unreadable=dict(self._sources.unreadable),
            tables=tuple(reports),
        )

    def _count(self, records: int) -> None:
        self.progress.records_read = records

    def _window_tables(self, tables: Tables) -> tuple[_Table, ...]:
        def table(name: str, computed: TimeWindows | Sessions, topic: str, source: str) -> _Table:
            return _Table(name, computed, WindowedSink(self._servers.kafka, topic, self._decoders[topic]), source)

        return (
            table("pageview_country", tables.country, topics.PAGE_VIEW_COUNTRY, topics.PAGE_VIEW),
            table("pageview_tumbling", tables.tumbling, topics.PAGE_VIEW_TUMBLING, topics.PAGE_VIEW),
            table("pageview_hopping", tables.hopping, topics.PAGE_VIEW_HOPPING, topics.PAGE_VIEW),
            table("pageview_session", tables.session, topics.PAGE_VIEW_SESSION, topics.PAGE_VIEW),
            table("usersession_device", tables.device, topics.USER_SESSION_DEVICE, topics.USER_SESSION),
        )

    def _compute(self) -> None:
        sources = self._sources
        add_views(self._tables, sources.views, bounds_by_arrival(sources.view_arrivals, _greatest(sources.views.times)))
        add_logins(
            self._tables, sources.logins, bounds_by_arrival(sources.login_arrivals, _greatest(sources.logins.times))
        )

    async def _compare(self) -> list[TableReport]:
        """Reads the results as they are now, then what came into the sources, then compares."""
        self.progress.phase = "reading the results"
        await self._users.catch_up()
        await self._enriched.catch_up()
        in_pinot: dict[str, dict[Identity, Row]] = {}
        for table in self._windowed:
            await table.sink.catch_up()
            in_pinot[table.name] = await pinot_rows(self._servers.pinot, table.name, table.computed.shape)
        await self._sources.follow()
        self.progress.phase = "comparing"
        return await asyncio.to_thread(self._judge, in_pinot)

    def _judge(self, in_pinot: dict[str, dict[Identity, Row]]) -> list[TableReport]:
        reports = [
            TableReport("cleaned_users", "sink", self._judge_users()),
            TableReport("pageview_enriched", "sink", self._judge_join()),
        ]
        for table in self._windowed:
            expected = table.computed.rows()
            handling = self._handling(table)
            is_session = isinstance(table.computed, Sessions)
            pinot = without_stale_sessions(in_pinot[table.name]) if is_session else in_pinot[table.name]
            sides: Sequence[tuple[Side, dict[Identity, Row]]] = (("sink", table.sink.rows()), ("pinot", pinot))
            for side, actual in sides:
                comparison = compare_tables(
                    expected, actual, handling, distinct_tolerance=self._settings.distinct_tolerance
                )
                reports.append(TableReport(table.name, side, comparison, late=table.computed.late))
        return reports

    def _judge_users(self) -> Comparison:
        later = self._sources.later_users

        def handling(user: Any, _: Row) -> Handling:
            return Handling.SKIP if user in later else Handling.COMPARE

        return compare_tables(_user_rows(self._sources.users), self._users.rows, handling)

    def _judge_join(self) -> Comparison:
        """Also fills in when the views behind the enriched ones arrived, with which the country table is then computed afresh."""
        sources, enriched = self._sources, self._enriched.columns
        result = audit_join(
            sources.views,
            enriched,
            sources.users,
            self._users.versions,
            slack_ms=self._slack_ms,
            moving=frozenset(sources.later_views),
        )
        country = self._tables.country
        country.sure.clear()
        country.unsure.clear()
        country.late = 0
        greatest = max(_greatest(sources.views.times), _greatest(enriched.times))
        add_enriched(self._tables, enriched, bounds_by_arrival(sources.view_arrivals, greatest))
        return result

    def _handling(self, table: _Table) -> Callable[[Identity, Row], Handling]:
        sources = self._sources
        later = sorted(sources.later_views if table.source == topics.PAGE_VIEW else sources.later_logins)
        kept_from = round(time.time() * 1000) - milliseconds(self._settings.retention)
        oldest = max(kept_from, sources.horizons.get(table.source, 0))
        reach = table.computed.gap if isinstance(table.computed, Sessions) else 0

        def handling(identity: Identity, row: Row) -> Handling:
            start, end = int(row["window_start"]), int(row["window_end"])
            position = bisect_left(later, start - reach)
            if start - reach < oldest or (position < len(later) and later[position] <= end + reach):
                return Handling.SKIP
            return Handling.TOLERATE if table.computed.is_unsure(identity, row) else Handling.COMPARE

        return handling


def _user_rows(users: Users) -> dict[int, Row]:
    return {
        user: {"age": v.age, "gender": v.gender, "country": v.country, "subscription": v.subscription}
        for user, v in users.newest().items()
    }


def _greatest(times: Sequence[int]) -> int:
    return max(times, default=-1)
