"""Queries as a real ksqlDB 8.1.1 describes them: recorded answers, and what running against it showed."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import httpx
import pytest

from services.provisioner.kinds.statement import Query
from services.provisioner.pipeline import build
from services.provisioner.render import load
from services.provisioner.resource import Action, State
from tests.golden import lines
from tests.unit.provisioner.world import World

Json = dict[str, Any]


def recorded() -> Json:
    """DESCRIBE pageview_country EXTENDED: it lists the query's repartition topic before the one of its source."""
    name = "describe-extended-windowed-table"
    answer: Json = next(line for line in lines("rest.jsonl") if line["name"] == name)["response"][0]
    return deepcopy(answer)


@pytest.fixture
def query(world: World) -> Query:
    resources = build(load(world.settings), world.servers, world.settings)
    found = next(resource for resource in resources if resource.id == "query:pageview_country")
    assert isinstance(found, Query)
    return found


async def facts_of(query: Query, world: World, answer: Json) -> Json:
    world.ksql.script = [httpx.Response(200, json=[answer])]
    return dict((await query.observe()).facts)


def positions(answer: Json) -> dict[str, Json]:
    """The offsets of the one partition of each topic."""
    (summary,) = answer["sourceDescription"]["queryOffsetSummaries"]
    return {topic["kafkaTopic"]: topic["offsets"][0] for topic in summary["topicSummaries"]}


async def test_rate_and_lag_are_those_of_the_source_topics_alone(
    query: Query, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(query._read, "_clock", lambda: now)
    answer = recorded()
    for offset in positions(answer).values():
        offset["logEndOffset"] += 40
    assert len(positions(answer)) == 2
    assert (await facts_of(query, world, answer))["lag"] == 40
    for offset in positions(answer).values():
        offset["consumerOffset"] += 30
    now += 10
    facts = await facts_of(query, world, answer)
    assert (facts["lag"], facts["rate_per_s"]) == (10, 3.0)


async def test_before_its_first_record_a_query_writes_nothing_a_second(
    query: Query, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real server has no count then; after TERMINATE it has none either, and that is no rate."""
    now = 100.0
    monkeypatch.setattr(query._written, "_clock", lambda: now)
    with_count = recorded()
    without = recorded()
    without["sourceDescription"]["clusterStatistics"] = []
    rates = []
    for answer in (without, without, with_count, without):
        rates.append((await facts_of(query, world, answer))["written_per_s"])
        now += 4
    assert rates == [None, 0.0, 323.5, None]


async def test_a_position_before_the_first_commit_is_the_beginning(query: Query, world: World) -> None:
    answer = recorded()
    positions(answer)["pageview_enriched"] |= {"consumerOffset": 0, "logStartOffset": 2500}
    assert (await facts_of(query, world, answer))["lag"] == 93


@pytest.mark.parametrize(
    ("counts", "state"),
    [
        ({"PAUSED": 1}, "PAUSED"),
        ({"RUNNING": 1, "PAUSED": 1}, "PAUSED"),
        ({"ERROR": 1}, "ERROR"),
        ({"RUNNING": 2}, "RUNNING"),
    ],
)
async def test_only_the_counts_tell_that_a_query_is_paused(
    query: Query, world: World, counts: dict[str, int], state: str
) -> None:
    answer = recorded()
    answer["sourceDescription"]["writeQueries"][0] |= {"state": "RUNNING", "statusCount": counts}
    # as it would be now: the recording was made with another grace
    answer["sourceDescription"]["statement"] = query._statement
    await world.kafka.create("topic5_PageView_Country", 5, 3, {})
    world.ksql.script = [httpx.Response(200, json=[answer])]
    observation = await query.observe()
    assert observation.facts["state"] == state
    expected = {"PAUSED": State.DRIFTED, "ERROR": State.FAILED, "RUNNING": State.OK}[state]
    assert observation.state is expected
    assert (observation.action is Action.UNCHANGED) == (state == "RUNNING")
