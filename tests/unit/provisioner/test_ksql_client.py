"""Each of ksqlDB's REST behaviours that a client must cope with."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import httpx
import pytest

from services.provisioner.clients.ksql import KsqlClient
from services.provisioner.errors import AlreadyThere, NotReadyInTime, StatementRejected
from shared.errors import DeadlineExceeded, Unavailable, UpstreamError
from shared.http import create_client
from tests.unit.provisioner.fake_ksql import refusal
from tests.unit.provisioner.world import FAST, PATIENCE, World

STREAM = "CREATE STREAM pageview (a INT) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON');"
OTHER = STREAM.replace("pageview", "other")


async def test_every_request_carries_the_offset_reset_because_set_does_not_last(world: World) -> None:
    await world.servers.ksql.execute(STREAM)
    await world.servers.ksql.execute(OTHER)
    assert [r["streamsProperties"] for r in world.ksql.requests] == [{"ksql.streams.auto.offset.reset": "earliest"}] * 2


async def test_a_queued_command_is_followed_to_its_end_and_its_number_goes_on(world: World) -> None:
    world.ksql.asynchronous = True
    outcome = await world.servers.ksql.execute(STREAM)
    assert outcome.message == "Stream created"
    assert world.ksql.looks == ["stream/`PAGEVIEW`/create"], "back-ticks and all"
    await world.servers.ksql.execute(OTHER)
    assert "commandSequenceNumber" not in world.ksql.requests[0]
    assert world.ksql.requests[1]["commandSequenceNumber"] == outcome.sequence


async def test_a_command_that_ends_in_error_is_a_refusal(world: World) -> None:
    world.ksql.asynchronous = True
    original = world.ksql._done

    def fail(*args: str | None) -> httpx.Response:
        answer = original(*args)  # type: ignore[arg-type]
        world.ksql.commands["stream/`PAGEVIEW`/create"] = {"status": "ERROR", "message": "no such topic"}
        return answer

    world.ksql._done = fail  # type: ignore[method-assign, assignment]
    with pytest.raises(StatementRejected, match="no such topic"):
        await world.servers.ksql.execute(STREAM)


async def test_a_command_that_never_ends_is_reported_in_time(impatient_world: World) -> None:
    impatient_world.ksql.asynchronous = True
    impatient_world.ksql._status = lambda command: httpx.Response(200, json={"status": "EXECUTING"})  # type: ignore[method-assign]
    with pytest.raises(NotReadyInTime, match="EXECUTING"):
        await impatient_world.servers.ksql.execute(STREAM)


@pytest.mark.parametrize(
    "passing",
    [
        refusal("Timed out while waiting for a previous command", 50301, 503),
        httpx.Response(503, headers={"Retry-After": "0"}, json={"error_code": 50302, "message": "Server is not ready"}),
        httpx.Response(
            429, json={"error_code": 42900, "message": "DDL/DML rate is crossing the configured rate limit"}
        ),
        refusal("Could not write the statement into the command topic.\nCaused by: Timeout expired", 50000, 500),
        refusal(
            "Topic 'topic1_PageView' does not exist. If you want to create a new topic for the stream/table please re-run ..."
        ),
        refusal("the sink topic topic5_PageView_Country of CTAS_PAGEVIEW_COUNTRY_17 is gone"),
        refusal("Another command with the same id (stream/`PAGEVIEW`/create) is being executed."),
    ],
    ids=[
        "catch-up",
        "not ready",
        "rate limit",
        "passing write failure",
        "topic unheard of",
        "sink unheard of",
        "same id",
    ],
)
async def test_what_passes_is_tried_again(world: World, passing: httpx.Response) -> None:
    world.ksql.script = [passing]
    assert (await world.servers.ksql.execute(STREAM)).message == "Stream created"
    assert len(world.ksql.requests) == 2


@pytest.mark.parametrize(
    "final",
    [
        refusal("line 1:1: Syntax Error\nUnknown statement 'CREAT'"),
        refusal("Could not write the statement into the command topic.\nCaused by: Invalid schema", 50000, 500),
        refusal(
            "A Kafka topic with the name 't' already exists, with different partition/replica/retention configuration",
            50000,
            500,
        ),
    ],
    ids=["syntax", "validation on writing", "topic of another shape"],
)
async def test_what_is_wrong_is_not_tried_again(world: World, final: httpx.Response) -> None:
    world.ksql.script = [final]
    with pytest.raises(StatementRejected):
        await world.servers.ksql.execute(STREAM)
    assert len(world.ksql.requests) == 1


async def test_already_exists_is_a_bad_statement_that_is_distinguished(world: World) -> None:
    await world.servers.ksql.execute(STREAM)
    with pytest.raises(AlreadyThere):
        await world.servers.ksql.execute(STREAM)


async def test_the_warning_of_if_not_exists_is_no_success(world: World) -> None:
    warning = {"@type": "warning_entity", "message": "Cannot add stream `PAGEVIEW`: ... already exists."}
    world.ksql.script = [httpx.Response(200, json=[warning])]
    with pytest.raises(AlreadyThere):
        await world.servers.ksql.execute(STREAM)


async def test_what_was_done_before_a_failure_counts_for_the_next_number(world: World) -> None:
    body = refusal("second is bad").json() | {"entities": [{"@type": "currentStatus", "commandSequenceNumber": 41}]}
    world.ksql.script = [httpx.Response(400, json=body)]
    with pytest.raises(StatementRejected):
        await world.servers.ksql.execute(STREAM)
    await world.servers.ksql.execute(STREAM)
    assert world.ksql.requests[-1]["commandSequenceNumber"] == 41


#: as a real ksqlDB 8.1.1 answered; it wraps each cause at 80 columns
WRAPPED = (
    "Could not determine output schema for query due to error: Cannot add table\n\t'CLEANED_USERS': A table with the same name already\n"
    "\texists\nStatement: CREATE TABLE CLEANED_USERS WITH ..."
)


async def test_texts_are_matched_although_they_are_wrapped(world: World) -> None:
    world.ksql.script = [refusal(WRAPPED)]
    with pytest.raises(AlreadyThere, match="A table with the same name already exists"):
        await world.servers.ksql.execute(STREAM)
    world.ksql.script = [refusal("Could not\n\tfind STREAM/TABLE 'CLEANED_USERS' in the Metastore")]
    assert await world.servers.ksql.describe("cleaned_users") is None
    world.ksql.script = [
        refusal("Another command with the same\n\tid (table/`CLEANED_USERS`/create) is being executed.")
    ]
    assert (await world.servers.ksql.execute(STREAM)).message == "Stream created"


async def test_a_statement_that_changes_something_is_given_more_time(world: World) -> None:
    deadlines: list[float] = []

    async def note(request: httpx.Request) -> httpx.Response:
        deadlines.append(request.extensions["timeout"]["read"])
        return await world.ksql(request)

    http = create_client("http://ksql", transport=httpx.MockTransport(note), timeout=timedelta(seconds=10))
    ksql = KsqlClient(http, patience=PATIENCE, poll_interval=FAST, ddl_timeout=timedelta(seconds=60))
    await ksql.execute(STREAM)
    await ksql.describe("pageview")
    assert deadlines == [60, 10]


async def test_only_a_few_descriptions_are_asked_for_at_a_time(world: World) -> None:
    at_work, most = 0, 0

    async def slow(request: httpx.Request) -> httpx.Response:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        await asyncio.sleep(0.001)
        at_work -= 1
        return await world.ksql(request)

    ksql = KsqlClient(
        create_client("http://ksql", transport=httpx.MockTransport(slow)), patience=PATIENCE, poll_interval=FAST
    )
    await asyncio.gather(*(ksql.describe(f"s{number}") for number in range(10)))
    assert most == 2


async def test_a_missing_source_is_none(world: World) -> None:
    assert await world.servers.ksql.describe("nosuch") is None


async def test_an_unavailable_or_slow_server_is_reported(world: World) -> None:
    world.ksql.script = [httpx.ConnectError("refused"), httpx.ReadTimeout("slow")]
    with pytest.raises(Unavailable):
        await world.servers.ksql.execute(STREAM)
    with pytest.raises(DeadlineExceeded):
        await world.servers.ksql.execute(STREAM)


async def test_a_pull_querys_rows(world: World) -> None:
    assert await world.servers.ksql.rows("SELECT * FROM t;") == (["SOURCE", "view_count"], [["Inbox", 3]])


async def test_a_row_may_hold_every_end_of_a_line_that_unicode_has_and_half_of_a_surrogate_pair() -> None:
    lines = [b'{"columnNames":["SOURCE"]}', '["a\u0085\u2028 b"]'.encode(), rb'["\ud83e"]']
    answers = [b"\n".join(lines), b"<html>"]
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=answers.pop(0)))
    ksql = KsqlClient(create_client("http://ksql", transport=transport), patience=PATIENCE, poll_interval=FAST)
    assert await ksql.rows("SELECT * FROM t;") == (["SOURCE"], [["a\u0085\u2028 b"], ["\ud83e"]])
    with pytest.raises(UpstreamError, match="other than JSON"):
        await ksql.rows("SELECT * FROM t;")


async def test_an_answer_without_entities_is_an_error(world: World) -> None:
    world.ksql.script = [httpx.Response(200, json=[])]
    with pytest.raises(UpstreamError):
        await world.servers.ksql.ask("SHOW STREAMS;")
