"""Each of Pinot's REST behaviours that a client must cope with."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from services.provisioner.clients.pinot import PinotClient, _job_id
from services.provisioner.errors import AlreadyThere, NotReadyInTime
from services.provisioner.render import PinotDefinition, load
from shared.errors import TransientUpstreamError, UpstreamError
from shared.http import create_client
from tests.unit.provisioner.world import FAST, PATIENCE, World


@pytest.fixture
def definition(world: World) -> PinotDefinition:
    return next(d for d in load(world.settings).pinot if d.name == "pageview_tumbling")


async def test_a_schema_is_never_overwritten_in_silence(world: World, definition: PinotDefinition) -> None:
    await world.servers.pinot.create_schema(definition.schema)
    with pytest.raises(AlreadyThere):
        await world.servers.pinot.create_schema({**definition.schema, "primaryKeyColumns": ["source"]})
    assert world.pinot.schemas["pageview_tumbling"] == definition.schema


async def test_a_missing_topic_is_a_500_that_passes(world: World, definition: PinotDefinition) -> None:
    with pytest.raises(TransientUpstreamError, match="partitions of the topic"):
        await world.servers.pinot.create_table(definition.table)


async def test_a_table_that_exists_is_distinguished(world: World, definition: PinotDefinition) -> None:
    await world.kafka.create("topic6_PageView_Tumbling", 5, 3, {})
    await world.servers.pinot.create_table(definition.table)
    with pytest.raises(AlreadyThere):
        await world.servers.pinot.create_table(definition.table)


async def test_a_missing_table_is_none_in_both_versions_words(world: World) -> None:
    assert await world.servers.pinot.table("nosuch") is None
    world.pinot.script["GET", "/tables/nosuch"] = [httpx.Response(404, json={"code": 404, "error": "not found"})]
    assert await world.servers.pinot.table("nosuch") is None


async def test_a_deletion_is_over_only_when_the_views_are_gone(world: World) -> None:
    world.pinot.lingering = 3
    await world.servers.pinot.delete("pageview_tumbling")
    views = [path for _, path in world.pinot.requests if path.endswith(("externalview", "idealstate"))]
    assert len(views) == 5
    assert world.pinot.requests[-1] == ("DELETE", "/schemas/pageview_tumbling"), "the schema goes last"


async def test_a_deletion_that_never_ends_is_reported(impatient_world: World) -> None:
    impatient_world.pinot.lingering = 10_000
    with pytest.raises(NotReadyInTime, match="not gone"):
        await impatient_world.servers.pinot.delete("pageview_tumbling")


async def test_a_table_is_ready_only_when_every_partition_is_consumed(
    impatient_world: World, definition: PinotDefinition
) -> None:
    impatient_world.pinot.tables["pageview_tumbling"] = definition.table
    impatient_world.pinot.consuming = 4
    with pytest.raises(NotReadyInTime, match="4 of 5"):
        await impatient_world.servers.pinot.wait_consuming("pageview_tumbling", 5)


async def test_what_validation_refuses_is_never_sent(world: World, definition: PinotDefinition) -> None:
    refused = httpx.Response(400, json={"code": 400, "error": "Upsert needs a primary key"})
    world.pinot.script["POST", "/tableConfigs/validate"] = [refused]
    with pytest.raises(UpstreamError, match="primary key"):
        await world.servers.pinot.validate(definition.schema, definition.table)


async def test_a_new_column_is_put_reloaded_and_the_job_polled(world: World, definition: PinotDefinition) -> None:
    status = "/segments/segmentReloadStatus/job-1"
    world.pinot.script["POST", "/segments/pageview_tumbling_REALTIME/reload"] = [
        httpx.Response(200, json={"status": '{"pageview_tumbling_REALTIME":{"reloadJobId":"job-1","x":"y"}}'})
    ]
    world.pinot.script["GET", status] = [
        httpx.Response(200, json={"totalSegmentCount": 5, "successCount": done}) for done in (0, 3, 5)
    ]
    await world.servers.pinot.update_schema(definition.schema)
    assert world.pinot.requests.count(("GET", status)) == 3


@pytest.mark.parametrize(
    "body", [{"reloadJobId": "a-b"}, {"status": '{"t": {"reloadJobId": "a-b"}}'}, {"t": {"reloadJobId": "a-b"}}]
)
def test_the_reload_jobs_id_is_found_at_any_depth(body: dict[str, Any]) -> None:
    assert _job_id(body) == "a-b"
    assert _job_id({"status": "Submitted"}) is None


async def test_exceptions_come_with_status_200(world: World) -> None:
    world.pinot.answer = {"exceptions": [{"errorCode": 710, "message": "unknown column"}]}
    with pytest.raises(UpstreamError, match="unknown column"):
        await world.servers.pinot.query("SELECT x FROM t")


async def test_rows_that_were_replaced_are_counted_too() -> None:
    """Pinot counts the newest row of each key alone by default."""

    def broker(request: httpx.Request) -> httpx.Response:
        all_rows = json.loads(request.content)["queryOptions"] == "skipUpsert=true"
        table = {"dataSchema": {"columnNames": ["n", "newest"]}, "rows": [[700 if all_rows else 3, 1.7e12]]}
        return httpx.Response(200, json={"resultTable": table})

    async with create_client("http://pinot", transport=httpx.MockTransport(broker)) as http:
        client = PinotClient(http, http, patience=PATIENCE, poll_interval=FAST, notice_interval=FAST)
        assert await client.extent("pageview_tumbling") == (700, 1_700_000_000_000)
