"""An audit says "not caught up" while queries have not read what is in the sources; real differences stay differences."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from services.provisioner.kinds.statement import Query
from services.provisioner.recompute.compare import Comparison
from services.provisioner.service import Provisioner
from services.provisioner.verify import catch_up as module
from services.provisioner.verify.catch_up import CatchUp
from services.provisioner.verify.report import AuditReport, TableReport
from shared import topics
from shared.tasks import TaskSet
from tests.unit.provisioner.world import World


@pytest.fixture
async def provisioner(world: World, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Provisioner]:
    monkeypatch.setattr(module, "_PAUSE", timedelta(milliseconds=5))
    async with TaskSet() as tasks:
        provisioner = Provisioner(world.settings, world.servers, tasks)
        await provisioner.finish(provisioner.apply())
        yield provisioner


def read_to(world: World, table: str, position: int) -> None:
    """The query of ``table`` has read so far in each of its topics."""
    for topic in world.ksql.sources[table.upper()]["queryOffsetSummaries"][0]["topicSummaries"]:
        topic["offsets"][0]["consumerOffset"] = position


def filled(world: World, records: int) -> None:
    """So many page views, all of them joined; the queries have read them all but two that each says to lack in ``fake_ksql``."""
    world.kafka.ends[topics.PAGE_VIEW] = {0: records}
    world.kafka.ends[topics.PAGE_VIEW_ENRICHED] = {0: records}
    for table in world.ksql.sources:
        if world.ksql.sources[table]["writeQueries"]:
            read_to(world, table, records)


async def behind(provisioner: Provisioner, world: World) -> dict[str, int]:
    queries = [resource for resource in provisioner.resources if isinstance(resource, Query)]
    return await CatchUp(queries, world.kafka, await world.kafka.end_offsets(topics.SOURCE_TOPICS)).behind()


async def test_what_reads_a_late_result_is_late_too(provisioner: Provisioner, world: World) -> None:
    filled(world, 100)
    assert await behind(provisioner, world) == {}
    read_to(world, "pageview_enriched", 60)
    assert await behind(provisioner, world) == {"pageview_enriched": 40, "pageview_country": 0}
    read_to(world, "pageview_session", 99)
    assert (await behind(provisioner, world))["pageview_session"] == 1


async def test_a_query_that_is_not_there_is_not_behind(provisioner: Provisioner, world: World) -> None:
    filled(world, 100)
    world.ksql.sources["PAGEVIEW_TUMBLING"]["writeQueries"].clear()
    del world.ksql.sources["PAGEVIEW_HOPPING"]
    assert await behind(provisioner, world) == {}


async def test_an_audit_waits_until_the_queries_have_caught_up(
    provisioner: Provisioner, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(world, 0)
    world.kafka.append(topics.PAGE_VIEW, b"s", b"{}", 1_760_000_000_000)
    phases: list[str] = []
    original = Query.behind

    async def look(query: Query, ends: object) -> tuple[int, bool]:
        found = await original(query, ends)  # type: ignore[arg-type]
        if query.name == "pageview_session" and found[0]:
            assert provisioner.audits.current is not None
            phases.append(provisioner.audits.current.progress.phase)
            if len(phases) == 3:
                filled(world, 1)
        return found

    monkeypatch.setattr(Query, "behind", look)
    report = (await provisioner.finish(provisioner.verify())).report
    assert report is not None
    assert (report.verdict, report.behind) == ("equal", {})
    assert "waiting for the queries to catch up" in phases[-1]


async def test_not_caught_up_is_a_verdict_of_its_own(provisioner: Provisioner, world: World) -> None:
    """A paused query is not waited for. The view is in no table, and nobody can say that this is wrong."""
    world.kafka.append(topics.PAGE_VIEW, b"s", b'{"user_id": 1, "source": "Inbox", "event_timestamp": 1}', 1)
    filled(world, 0)
    world.kafka.ends[topics.PAGE_VIEW] = {0: 1}
    for source in world.ksql.sources.values():
        for query in source["writeQueries"]:
            query["statusCount"] = {"PAUSED": 1}
    provisioner.settings = provisioner.settings.model_copy(update={"retention": timedelta(days=30_000)})
    report = (await provisioner.finish(provisioner.verify())).report
    assert report is not None
    assert any(table.comparison.missing for table in report.tables)
    assert (report.verdict, report.ok) == ("not_caught_up", None)
    assert report.behind["pageview_tumbling"] == 1


def test_a_difference_in_a_table_that_has_caught_up_is_one() -> None:
    wrong = Comparison(compared=1, missing=1)
    tables = (TableReport("pageview_country", "sink", wrong), TableReport("pageview_session", "sink", Comparison()))
    report = AuditReport(datetime.now(UTC), 1, {}, {}, tables, behind={"pageview_session": 5})
    assert (report.verdict, report.ok) == ("different", False)
    report = AuditReport(datetime.now(UTC), 1, {}, {}, tables, behind={"pageview_country": 0})
    assert (report.verdict, report.ok) == ("not_caught_up", None)
