"""A chain of queries: its results become readable together, and what others write into its middle is neither lost nor doubled."""

from __future__ import annotations

import json

import pytest

from services.ksql.model.schema import TopicInfo
from tests.patience import eventually
from tests.unit.ksql.rest.replay import Lab, lab

_DDL = """
CREATE STREAM clicks (k VARCHAR KEY, n INT) WITH (KAFKA_TOPIC='clicks', VALUE_FORMAT='JSON');
CREATE STREAM doubled WITH (KAFKA_TOPIC='doubled') AS SELECT k, n * 2 AS n FROM clicks EMIT CHANGES;
CREATE STREAM kept WITH (KAFKA_TOPIC='kept') AS SELECT * FROM doubled WHERE n > 0 EMIT CHANGES;
CREATE TABLE totals WITH (KAFKA_TOPIC='totals') AS SELECT k, COUNT(*) AS c, SUM(n) AS s FROM kept GROUP BY k EMIT CHANGES;
"""


async def begin(server: Lab) -> None:
    await server.broker.create_topic(TopicInfo("clicks", 3, 1))
    body = {"ksql": _DDL, "streamsProperties": {"auto.offset.reset": "earliest"}}
    response = await server.client.post("/ksql", json=body)
    assert response.status_code == 200, response.text
    await server.quiet()


def click(server: Lab, key: str, number: int) -> None:
    server.broker.produce("clicks", key.encode(), json.dumps({"n": number}).encode(), 1_000)


def totals(server: Lab) -> dict[str, tuple[int, int]]:
    newest = {r.key: r.value for r in server.broker.records("totals")}
    rows = {k.decode(): json.loads(v) for k, v in newest.items() if k is not None and v is not None}
    return {k: (row["C"], row["S"]) for k, row in rows.items()}


async def settled(server: Lab, wanted: dict[str, tuple[int, int]]) -> None:
    await eventually(lambda: totals(server) == wanted, lambda: f"{wanted}, but there is {totals(server)}")


def at_the_end(server: Lab) -> bool:
    """Whether every query has been given all that can be read, the end of the last transaction too: only such a reader is chained."""
    queries = server.core.query_manager.queries.values()
    return all(offset == server.broker.log(tp).stable for query in queries for tp, offset in query.fetched.items())


async def test_results_of_a_chain_become_readable_together() -> None:
    async with lab() as server:
        await begin(server)
        for number in range(1, 6):
            await eventually(lambda: at_the_end(server), "all have read past the transaction before")
            click(server, "a", number)
            # Looked at in every turn of the loop, so that the totals are seen in the very moment of the doubled ones.
            await eventually(lambda n=number: len(server.broker.records("doubled")) >= n, "a doubled click", every_s=0)  # type: ignore[misc]
            assert totals(server) == {"a": (number, number * (number + 1))}


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_failed_commit_takes_the_whole_chain_with_it(moment: str) -> None:
    async with lab() as server:
        await begin(server)
        for number in range(1, 4):
            server.broker.fail_next_write = moment
            click(server, "a", 1)
            await settled(server, {"a": (number, 2 * number)})


async def test_what_others_write_between_is_counted_once() -> None:
    async with lab() as server:
        await begin(server)
        sent = 0
        for number in range(200):
            key = f"k{number % 4}"
            click(server, key, 1)
            server.broker.produce("doubled", key.encode(), b'{"N": 100}', 1_000)
            sent += 1
            if number % 7 == 0:
                before = server.core.query_manager.transactions
                await eventually(lambda n=before: server.core.query_manager.transactions > n, "a commit in between")  # type: ignore[misc]
        await settled(server, {f"k{i}": (2 * sent // 4, 102 * sent // 4) for i in range(4)})
