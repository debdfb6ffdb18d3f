"""Apply, drift, replacement and teardown of the whole pipeline against stand-in servers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import replace

import httpx
import pytest

from services.provisioner.errors import RunInProgress, StepFailed
from services.provisioner.plan import Plan
from services.provisioner.resource import Action, Kind, State
from services.provisioner.runs import Change
from services.provisioner.service import Provisioner
from services.provisioner.watcher import Overall
from shared.errors import Unavailable
from shared.tasks import TaskSet
from tests.patience import eventually
from tests.unit.provisioner.fake_ksql import refusal
from tests.unit.provisioner.world import World


@pytest.fixture
async def provisioner(world: World) -> AsyncIterator[Provisioner]:
    async with TaskSet() as tasks:
        yield Provisioner(world.settings, world.servers, tasks)


async def apply(provisioner: Provisioner) -> dict[str, str]:
    """Applies, and answers what was done: resource -> action, unchanged ones left out."""
    run = await provisioner.finish(provisioner.apply())
    assert all(step.state == "done" for step in run.steps)
    return {f"{step.resource}": step.action for step in run.steps if step.action not in ("unchanged", "remove")}


def changes(plan: Plan) -> dict[str, Action]:
    return {step.resource.id: step.action for step in plan.steps if step.action is not Action.UNCHANGED}


async def test_an_apply_from_nothing_makes_everything_and_the_next_one_nothing(
    provisioner: Provisioner, world: World
) -> None:
    done = await apply(provisioner)
    assert len(done) == len(provisioner.resources) == 29
    assert set(done.values()) == {"create"}
    assert (await provisioner.status(fresh=True)).overall is Overall.READY
    before = list(world.ksql.statements)
    assert await apply(provisioner) == {}
    assert world.ksql.statements == before


async def test_statements_go_one_by_one_in_order_from_the_earliest_offset(
    provisioner: Provisioner, world: World
) -> None:
    await apply(provisioner)
    created = [r for r in world.ksql.requests if "CREATE " in r["ksql"]]
    assert len(created) == 11
    assert all(r["streamsProperties"] == {"ksql.streams.auto.offset.reset": "earliest"} for r in created)
    assert all(r["ksql"].count(" AS\nSELECT") <= 1 and r["ksql"].rstrip().endswith(";") for r in created)
    numbers = [r["commandSequenceNumber"] for r in created if "commandSequenceNumber" in r]
    assert len(numbers) == 10, "every statement but the first carries the number of the one before"
    assert numbers == sorted(set(numbers))


async def test_only_what_is_gone_is_made_again(provisioner: Provisioner, world: World) -> None:
    await apply(provisioner)
    world.connect.config = None
    del world.pinot.tables["pageview_session"]
    del world.ksql.sources["PAGEVIEW_HOPPING"]
    status = await provisioner.status(fresh=True)
    assert status.overall is Overall.DEGRADED
    assert {entry.resource.id for entry in status.entries if entry.observation.state is not State.OK} == {
        "connector:users-source",
        "pinot_table:pageview_session",
        "query:pageview_hopping",
    }
    assert set(await apply(provisioner)) == {
        "connector:users-source",
        "pinot_table:pageview_session",
        "query:pageview_hopping",
    }
    assert (await provisioner.status(fresh=True)).overall is Overall.READY


async def test_a_terminated_query_is_drift_and_is_repaired_alone(provisioner: Provisioner, world: World) -> None:
    await apply(provisioner)
    world.ksql.sources["PAGEVIEW_TUMBLING"]["writeQueries"].clear()
    assert changes(await provisioner.plan()) == {"query:pageview_tumbling": Action.REPAIR}
    assert await apply(provisioner) == {"query:pageview_tumbling": "repair"}
    assert "topic6_PageView_Tumbling" not in world.kafka.deleted


async def test_a_paused_query_is_resumed(provisioner: Provisioner, world: World) -> None:
    await apply(provisioner)
    query = world.ksql.sources["PAGEVIEW_SESSION"]["writeQueries"][0]
    query["statusCount"] = {"PAUSED": 1}  # all that the real one reports; its state stays RUNNING
    assert await apply(provisioner) == {"query:pageview_session": "repair"}
    assert world.ksql.statements[-1] == f"RESUME {query['id']};"


async def test_another_definition_is_replaced_with_its_dependents(provisioner: Provisioner, world: World) -> None:
    await apply(provisioner)
    source = world.ksql.sources["CLEANED_USERS"]
    source["statement"] = source["statement"].replace("AND country IS NOT NULL", "")
    planned = changes(await provisioner.plan())
    assert planned == dict.fromkeys(
        [
            "query:cleaned_users",
            "topic:topic4_CleanedUsers",
            "query:pageview_enriched",
            "topic:pageview_enriched",
            "query:pageview_country",
            "topic:topic5_PageView_Country",
            "pinot_table:pageview_country",
        ],
        Action.REPLACE,
    )
    await apply(provisioner)
    drops = [s.split()[4] for s in world.ksql.statements if s.startswith("DROP")]
    assert drops == ["pageview_country", "pageview_enriched", "cleaned_users"], "readers go before what they read"
    assert {"pageview_enriched", "topic4_CleanedUsers", "topic5_PageView_Country"} <= set(world.kafka.deleted)
    assert changes(await provisioner.plan()) == {}


async def test_another_window_size_is_seen_though_ksqldb_says_that_it_exists(world: World) -> None:
    async with TaskSet() as tasks:
        await apply(Provisioner(world.settings, world.servers, tasks))
        changed = world.settings.model_copy(update={"tumbling_window": world.settings.tumbling_window * 2})
        provisioner = Provisioner(changed, world.servers, tasks)
        planned = await provisioner.plan()
        step = next(step for step in planned.steps if step.resource.id == "query:pageview_tumbling")
        assert step.action is Action.REPLACE
        assert "1 MINUTE" in str(step.observation.differences[0].actual)
        assert "2 MINUTE" in str(step.observation.differences[0].desired)
        assert (await provisioner.finish(provisioner.apply())).state == "succeeded"
        assert changes(await provisioner.plan()) == {}


async def test_a_source_topic_made_anew_takes_all_that_reads_it_along(provisioner: Provisioner, world: World) -> None:
    await apply(provisioner)
    await world.kafka.delete(["topic2_UserSession"])
    assert changes(await provisioner.plan()) == {
        "topic:topic2_UserSession": Action.CREATE,
        "stream:usersession": Action.REPLACE,
        "query:usersession_device": Action.REPLACE,
        "topic:topic9_UserSession_Device": Action.REPLACE,
        "pinot_table:usersession_device": Action.REPLACE,
    }
    await apply(provisioner)
    assert (await provisioner.status(fresh=True)).overall is Overall.READY


async def test_topic_settings_are_changed_in_place(provisioner: Provisioner, world: World) -> None:
    await apply(provisioner)
    topic = world.kafka.existing["topic1_PageView"]
    world.kafka.existing["topic1_PageView"] = replace(topic, config={**topic.config, "retention.ms": "1000"})
    assert await apply(provisioner) == {"topic:topic1_PageView": "update"}
    assert world.kafka.existing["topic1_PageView"].config["retention.ms"] == "604800000"


async def test_under_replication_is_reported_and_left_to_the_brokers(provisioner: Provisioner, world: World) -> None:
    await apply(provisioner)
    topic = world.kafka.existing["topic1_PageView"]
    world.kafka.existing["topic1_PageView"] = replace(topic, under_replicated=2)
    status = await provisioner.status(fresh=True)
    assert status.overall is Overall.DEGRADED
    assert changes(await provisioner.plan()) == {}


async def test_a_pinot_table_beyond_its_topics_end_is_replaced(provisioner: Provisioner, world: World) -> None:
    await apply(provisioner)
    world.pinot.offsets["pageview_tumbling"] = 99
    assert changes(await provisioner.plan()) == {"pinot_table:pageview_tumbling": Action.REPLACE}


async def test_positions_are_compared_with_ends_that_are_not_older(
    provisioner: Provisioner, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records that came while the table was looked at are not beyond the topic's end."""
    await apply(provisioner)
    topic = "topic6_PageView_Tumbling"
    world.pinot.offsets["pageview_tumbling"] = 99
    world.kafka.ends[topic] = dict.fromkeys(range(5), 99)
    original, old = world.kafka.end_offsets, [{topic: dict.fromkeys(range(5), 90)}]

    async def end_offsets(names: Iterable[str]) -> dict[str, dict[int, int]]:
        return old.pop() if old and topic in names else await original(names)

    monkeypatch.setattr(world.kafka, "end_offsets", end_offsets)
    plan = await provisioner.plan()
    assert changes(plan) == {}
    step = next(step for step in plan.steps if step.resource.id == "pinot_table:pageview_tumbling")
    assert step.observation.facts["offset_lag"] == 0
    assert old == []


async def test_secrets_are_masked_in_differences(provisioner: Provisioner, world: World) -> None:
    await apply(provisioner)
    assert world.connect.config is not None
    world.connect.config["database.password"] = "hunter2"
    plan = await provisioner.plan()
    step = next(step for step in plan.steps if step.resource.id == "connector:users-source")
    assert step.action is Action.UPDATE
    assert "hunter2" not in str(step)


async def test_a_failed_step_skips_what_depends_on_it_and_the_next_apply_goes_on(
    provisioner: Provisioner, world: World
) -> None:
    broken = [httpx.Response(400, json={"code": 400, "error": "Invalid table config"})] * 9
    world.pinot.script["POST", "/tables"] = broken
    run = provisioner.apply()
    with pytest.raises(StepFailed, match="pinot_table:"):
        await provisioner.finish(run)
    assert run.failed_step is not None
    assert run.failed_step.error is not None
    assert "Invalid table config" in run.failed_step.error
    world.pinot.script.clear()
    assert {name.partition(":")[0] for name in await apply(provisioner)} == {"pinot_table"}


async def test_a_refused_statement_skips_its_dependents_only(provisioner: Provisioner, world: World) -> None:
    world.ksql.sources["PAGEVIEW"] = {
        "statement": "CREATE STREAM PAGEVIEW (X INT) WITH (KAFKA_TOPIC='other');",
        "topic": "other",
        "writeQueries": [],
    }
    original = world.ksql._drop
    world.ksql._drop = lambda kind, name, text: refusal("no")  # type: ignore[method-assign]
    run = provisioner.apply()
    with pytest.raises(StepFailed):
        await provisioner.finish(run)
    assert {step.state for step in run.steps} == {"failed", "skipped"}
    world.ksql._drop = original  # type: ignore[method-assign]
    await apply(provisioner)
    assert (await provisioner.status(fresh=True)).overall is Overall.READY


async def test_a_lost_answer_is_made_good_by_looking_again(provisioner: Provisioner, world: World) -> None:
    """The statement was carried out, its answer never came: before it is sent again it is looked for, and it is there."""
    statements = world.ksql._create
    lost: list[str] = []

    async def lose_one(kind: str, name: str, text: str) -> httpx.Response:
        answer = await statements(kind, name, text)
        if name == "USERS" and not lost:
            lost.append(name)
            raise httpx.ReadTimeout("lost")
        return answer

    world.ksql._create = lose_one  # type: ignore[method-assign]
    run = await provisioner.finish(provisioner.apply())
    step = next(step for step in run.steps if step.resource == "table:users")
    assert (step.attempts, step.detail) == (1, "made; its answer was lost")
    sent = [s for s in world.ksql.statements if "TABLE users (" in s]
    assert len(sent) == 1, sent


async def test_one_run_at_a_time(provisioner: Provisioner) -> None:
    run = provisioner.apply()
    with pytest.raises(RunInProgress) as refused:
        provisioner.tear_down(delete_topics=False)
    assert refused.value.extra["run_id"] == run.id
    await provisioner.finish(run)
    await provisioner.finish(provisioner.tear_down(delete_topics=False))


async def test_a_run_cut_off_anywhere_is_finished_by_the_next(world: World) -> None:
    for steps in (0, 3, 9, 18):
        async with TaskSet() as tasks:
            provisioner = Provisioner(world.settings, world.servers, tasks)
            run = provisioner.apply()

            def reached(run: Change = run, steps: int = steps) -> bool:
                return bool(run.steps) and sum(step.state == "done" for step in run.steps) >= steps

            await eventually(reached, f"{steps} steps are done", every_s=0)
            assert run.running
        assert run.state == "failed", "the service stopped before its end"
    async with TaskSet() as tasks:
        provisioner = Provisioner(world.settings, world.servers, tasks)
        await apply(provisioner)
        assert (await provisioner.status(fresh=True)).overall is Overall.READY


async def test_teardown_keeps_records_and_the_connectors_position(provisioner: Provisioner, world: World) -> None:
    await apply(provisioner)
    await provisioner.finish(provisioner.tear_down(delete_topics=False))
    assert not world.kafka.deleted
    assert ("DELETE", "/connectors/users-source/offsets") not in world.connect.requests
    assert (await provisioner.status(fresh=True)).overall is Overall.ABSENT
    await provisioner.finish(provisioner.tear_down(delete_topics=False))
    await apply(provisioner)
    assert (await provisioner.status(fresh=True)).overall is Overall.READY


async def test_a_table_that_was_just_deleted_is_recreated_when_its_server_has_noticed(world: World) -> None:
    async with TaskSet() as tasks:
        provisioner = Provisioner(world.settings, world.servers, tasks)
        await apply(provisioner)
        world.pinot(httpx.Request("DELETE", "http://pinot/tables/pageview_session"))
        await apply(provisioner)
        assert (await provisioner.status()).overall is Overall.READY


async def test_teardown_with_topics_leaves_nothing_and_forgets_the_position(
    provisioner: Provisioner, world: World
) -> None:
    await apply(provisioner)
    run = await provisioner.finish(provisioner.tear_down(delete_topics=True))
    assert not world.kafka.existing
    assert not world.ksql.sources
    assert not world.pinot.tables
    assert not world.pinot.schemas
    stop, forget, delete = (
        world.connect.requests.index(request)
        for request in (
            ("PUT", "/connectors/users-source/stop"),
            ("DELETE", "/connectors/users-source/offsets"),
            ("DELETE", "/connectors/users-source"),
        )
    )
    assert stop < forget < delete
    assert run.state == "succeeded"


async def test_what_cannot_be_seen_is_no_change_and_no_apply(provisioner: Provisioner, world: World) -> None:
    await apply(provisioner)
    world.kafka.down = True
    plan = await provisioner.plan()
    unseen = {step.resource.kind for step in plan.steps if step.action is Action.UNKNOWN}
    assert unseen == {Kind.TOPIC, Kind.QUERY, Kind.PINOT_TABLE}, "all that asks Kafka"
    assert (plan.changes, plan.unseen) == (0, 25)
    assert all(s.reason.startswith("could not be seen: ") for s in plan.steps if s.action is Action.UNKNOWN)
    with pytest.raises(StepFailed, match="cannot observe"):
        await provisioner.finish(provisioner.apply())
    with pytest.raises(Unavailable):
        await provisioner.servers.kafka.ping()


async def test_queries_and_tables_tell_how_much_they_hand_on(provisioner: Provisioner, world: World) -> None:
    """Result topics tell nothing: their offsets count transaction markers too."""
    await apply(provisioner)
    await provisioner.status(fresh=True)
    world.ksql.sources["PAGEVIEW_TUMBLING"]["clusterStatistics"][0]["value"] += 1_000
    world.pinot.rows["pageview_tumbling"] = [{"window_start": 0}] * 500
    rates: dict[str, tuple[float, float]] = {}

    async def rate_known() -> bool:
        facts = {entry.resource.id: entry.observation.facts for entry in (await provisioner.status(fresh=True)).entries}
        assert "rate_per_s" not in facts["topic:topic6_PageView_Tumbling"]
        found = facts["query:pageview_tumbling"]["written_per_s"], facts["pinot_table:pageview_tumbling"]["rate_per_s"]
        rates["tumbling"] = found
        return None not in found

    await eventually(rate_known, "a rate, which needs two looks with half a second between them", every_s=0.05)
    written, taken_in = rates["tumbling"]
    assert written > 0
    assert taken_in > 0
    assert ("POST", "/query/sql") in world.pinot.requests
