"""Runs an audit.

The sources are read up to a snapshot of their ends and every table is computed from them. Then the sinks and Pinot are read, and after
that what the sources have got meanwhile: rows which that may touch are skipped, so the audit is right while events keep coming. The
pipeline may still be processing the snapshot; differences therefore count only if they last.
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
from services.provisioner.kinds.statement import Query
from services.provisioner.pipeline import Servers
from services.provisioner.recompute.columns import EnrichedColumns
from services.provisioner.recompute.compare import Comparison, Handling, compare_tables
from services.provisioner.recompute.join import JoinAudit, audit_join
from services.provisioner.recompute.rows import Identity, Row, Shape
from services.provisioner.recompute.sessions import Sessions
from services.provisioner.recompute.tables import (
    COUNTRY,
    add_logins,
    add_views,
    bounds_by_arrival,
    by_country,
    empty_tables,
)
from services.provisioner.recompute.users import Users
from services.provisioner.recompute.windows import TimeWindows
from services.provisioner.settings import Settings
from services.provisioner.verify.catch_up import CatchUp
from services.provisioner.verify.report import AuditReport, Progress, Side, TableReport
from services.provisioner.verify.sinks import EnrichedSink, UsersSink, WindowedSink, pinot_rows, without_superseded
from services.provisioner.verify.sources import Sources
from shared import topics
from shared.durations import milliseconds

#: how long a change may take from the database to the join, and a record from its stamp to its log
_SLACK = timedelta(seconds=5)
#: how much longer while a broker does not answer: Connect's producer sends again after 30 s, the brokers drop one from the in-sync replicas
#: after at most 30 s
_LATE = timedelta(seconds=40)
_PAUSE = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class _Table:
    """A result table: its name in Pinot, its sink, the source topic whose events it counts, and its columns."""

    name: str
    sink: WindowedSink
    source: str
    shape: Shape


class Auditor:
    """One audit; ``progress`` may be looked at while it runs."""

    def __init__(self, servers: Servers, settings: Settings, queries: Sequence[Query] = ()) -> None:
        self._servers = servers
        self._queries = queries
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
        self._windowed = self._window_tables()

    async def audit(self) -> AuditReport:
        """Reads, computes, compares.

        Raises:
            PagePulseError: a server does not answer, or there is too much to read.
        """
        started, begin = datetime.now(UTC), time.monotonic()
        self.progress.phase = "reading the source topics"
        await self._sources.take_snapshot()
        ends = await self._servers.kafka.end_offsets(topics.SOURCE_TOPICS)
        self.progress.phase = "computing the tables"
        await asyncio.to_thread(self._compute)
        catch_up = CatchUp(self._queries, self._servers.kafka, ends)
        behind = await catch_up.wait(self._settings.verify_catch_up, self._note_behind)
        # Those that are still behind will not be ready after a moment either.
        settle_s = 0.0 if behind else self._settings.verify_settle.total_seconds()
        deadline = time.monotonic() + settle_s
        while True:
            reports = await self._compare()
            if all(report.comparison.clean for report in reports) or time.monotonic() > deadline:
                break
            self.progress.phase = "waiting for differences to settle"
            await asyncio.sleep(_PAUSE.total_seconds())
        self.progress.phase = "done"
        return AuditReport(
            started_at=started,
            took_ms=round((time.monotonic() - begin) * 1000),
            records=dict(self._sources.read),
            unreadable=dict(self._sources.unreadable),
            rewritten=self._sources.rewritten(),
            undecodable={sink.topic: sink.undecodable for sink in self._sinks if sink.undecodable},
            tables=tuple(reports),
            behind=behind and await catch_up.behind(),
        )

    def _note_behind(self, records: int) -> None:
        self.progress.phase = f"waiting for the queries to catch up ({records:,} records to go)"

    def _count(self, records: int) -> None:
        self.progress.records_read = records

    @property
    def _sinks(self) -> tuple[UsersSink | EnrichedSink | WindowedSink, ...]:
        return self._users, self._enriched, *(table.sink for table in self._windowed)

    def _window_tables(self) -> tuple[_Table, ...]:
        def table(name: str, shape: Shape, topic: str, source: str) -> _Table:
            sink = WindowedSink(self._servers.kafka, topic, self._decoders[topic], shape)
            return _Table(name, sink, source, shape)

        tables = self._tables
        return (
            table("pageview_country", COUNTRY, topics.PAGE_VIEW_COUNTRY, topics.PAGE_VIEW),
            table("pageview_tumbling", tables.tumbling.shape, topics.PAGE_VIEW_TUMBLING, topics.PAGE_VIEW),
            table("pageview_hopping", tables.hopping.shape, topics.PAGE_VIEW_HOPPING, topics.PAGE_VIEW),
            table("pageview_session", tables.session.shape, topics.PAGE_VIEW_SESSION, topics.PAGE_VIEW),
            table("usersession_device", tables.device.shape, topics.USER_SESSION_DEVICE, topics.USER_SESSION),
            table("pageview_page", tables.page.shape, topics.PAGE_VIEW_PAGE, topics.PAGE_VIEW),
        )

    def _compute(self) -> None:
        sources = self._sources
        newest = _greatest(sources.views.times)
        add_views(
            self._tables,
            sources.views,
            bounds_by_arrival(sources.view_arrivals, newest),
            bounds_by_arrival(sources.page_arrivals, newest),
        )
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
            in_pinot[table.name] = await pinot_rows(self._servers.pinot, table.name, table.shape)
        await self._sources.follow()
        self.progress.phase = "comparing"
        return await asyncio.to_thread(self._judge, in_pinot)

    def _judge(self, in_pinot: dict[str, dict[Identity, Row]]) -> list[TableReport]:
        join = self._judge_join()
        tables = self._tables
        computed: dict[str, TimeWindows | Sessions] = {
            "pageview_country": self._country(join),
            "pageview_tumbling": tables.tumbling,
            "pageview_hopping": tables.hopping,
            "pageview_session": tables.session,
            "usersession_device": tables.device,
            "pageview_page": tables.page,
        }
        reports = [
            TableReport("cleaned_users", "sink", self._judge_users()),
            TableReport("pageview_enriched", "sink", join.comparison),
        ]
        for table in self._windowed:
            ours = computed[table.name]
            expected = ours.rows()
            handling = self._handling(table, ours)
            is_session = isinstance(ours, Sessions)
            pinot = without_superseded(in_pinot[table.name]) if is_session else in_pinot[table.name]
            sink = table.sink.rows()
            if is_session:
                handling = _tolerating(sink.keys() - without_superseded(sink).keys(), handling)
            sides: Sequence[tuple[Side, dict[Identity, Row]]] = (("sink", sink), ("pinot", pinot))
            for side, actual in sides:
                comparison = compare_tables(
                    expected, actual, handling, distinct_tolerance=self._settings.distinct_tolerance
                )
                reports.append(TableReport(table.name, side, comparison, late=ours.late))
        return reports

    def _judge_users(self) -> Comparison:
        later = self._sources.later_users

        def handling(user: Any, _: Row) -> Handling:
            return Handling.SKIP if user in later else Handling.COMPARE

        return compare_tables(_user_rows(self._sources.users), self._users.rows, handling)

    def _judge_join(self) -> JoinAudit:
        sources = self._sources
        return audit_join(
            sources.views,
            self._enriched.columns,
            sources.users,
            self._users.versions,
            slack_ms=self._slack_ms,
            late_ms=milliseconds(_LATE),
            moving=frozenset(sources.later_views),
        )

    def _country(self, join: JoinAudit) -> TimeWindows:
        """From the enriched views, with the arrivals that the join's audit found."""
        sources, enriched = self._sources, self._enriched.columns
        greatest = max(_greatest(sources.views.times), _greatest(enriched.times))
        bounds_of = bounds_by_arrival(sources.view_arrivals, greatest)
        return by_country(self._settings, enriched, join.arrivals, bounds_of)

    def _handling(self, table: _Table, ours: TimeWindows | Sessions) -> Callable[[Identity, Row], Handling]:
        sources = self._sources
        later = sorted(sources.later_views if table.source == topics.PAGE_VIEW else sources.later_logins)
        kept_from = round(time.time() * 1000) - milliseconds(self._settings.retention)
        oldest = max(kept_from, sources.horizons.get(table.source, 0))
        reach = ours.gap if isinstance(ours, Sessions) else 0

        def handling(identity: Identity, row: Row) -> Handling:
            start, end = int(row["window_start"]), int(row["window_end"])
            position = bisect_left(later, start - reach)
            if start - reach < oldest or (position < len(later) and later[position] <= end + reach):
                return Handling.SKIP
            return Handling.TOLERATE if ours.is_unsure(identity, row) else Handling.COMPARE

        return handling


def _tolerating(
    superseded: set[Identity], handling: Callable[[Identity, Row], Handling]
) -> Callable[[Identity, Row], Handling]:
    """A query that is made anew over its topic writes no tombstones for the sessions of the one before: those inside others may differ."""

    def tolerating(identity: Identity, row: Row) -> Handling:
        how = handling(identity, row)
        return Handling.TOLERATE if how is Handling.COMPARE and identity in superseded else how

    return tolerating


def _user_rows(users: Users) -> dict[int, Row]:
    return {
        user: {"age": v.age, "gender": v.gender, "country": v.country, "subscription": v.subscription}
        for user, v in users.newest().items()
    }


def _greatest(times: Sequence[int]) -> int:
    return max(times, default=-1)
