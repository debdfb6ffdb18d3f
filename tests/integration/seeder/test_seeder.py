"""The seeder against the real database, with a table of its own; and the way of a change into Kafka."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiomysql
import httpx
import pytest
from asgi_lifespan import LifespanManager
from pydantic import SecretStr

from services.seeder.app import create_app
from services.seeder.settings import Settings
from shared.kafka import end_offsets
from shared.topics import USERS
from tests.patience import STEP_S, eventually
from tests.stack import Stack

pytestmark = pytest.mark.stack

TABLE = "seeder_test_users"


def settings(stack: Stack) -> Settings:
    password = json.loads((stack.directory / "secrets.json").read_text())["mysql_password"]
    port = int(stack.environment()["PAGEPULSE_MYSQL_PORT"])
    return Settings(mysql_port=port, mysql_password=SecretStr(password), mysql_table=TABLE)


async def connect(configured: Settings) -> Any:
    """A connection of its own, in the character set of the seeder's."""
    return await aiomysql.connect(
        host=configured.mysql_host,
        port=configured.mysql_port,
        user=configured.mysql_user,
        password=configured.mysql_password.get_secret_value(),
        db=configured.mysql_database,
        charset="utf8mb4",
    )


@asynccontextmanager
async def seeder(stack: Stack) -> AsyncIterator[httpx.AsyncClient]:
    """The service in this process, on the stack's database."""
    configured = settings(stack)
    app = create_app(configured)
    try:
        async with (
            LifespanManager(app, startup_timeout=STEP_S, shutdown_timeout=STEP_S),
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app), base_url="http://localhost", timeout=STEP_S
            ) as client,
        ):
            yield client
    finally:
        connection = await connect(configured)
        async with connection.cursor() as cursor:
            await cursor.execute(f"DROP TABLE IF EXISTS {TABLE}")
        connection.close()


async def seed(client: httpx.AsyncClient, **body: Any) -> None:
    answer = await client.post("/seeder/seed", params={"wait": True}, json=body)
    assert answer.status_code == 200, answer.text


async def users(client: httpx.AsyncClient, **query: Any) -> list[dict[str, Any]]:
    page = (await client.get("/seeder/users", params={"limit": 10_000, **query})).json()
    return [{k: v for k, v in user.items() if k != "updated_at"} for user in page["users"]]


async def under_way(client: httpx.AsyncClient, job_id: str) -> bool:
    return bool((await client.get(f"/seeder/jobs/{job_id}")).json()["job"]["done"])


async def test_a_hundred_thousand_users_can_be_made_and_replaced(stack: Stack) -> None:
    """How long it takes is a question for the benchmarks."""
    async with seeder(stack) as client:
        for _ in range(2):
            await seed(client, count=100_000, seed=1)
        status = (await client.get("/seeder/status")).json()
        stats = (await client.get("/seeder/stats")).json()

    assert status["users"] == 100_000
    assert status["with_nulls"] == pytest.approx(5_000, rel=0.1)
    assert sum(stats["by_subscription"].values()) + stats["nulls"]["subscription"] == 100_000
    assert set(stats["average_age_by_subscription"]) == set(stats["by_subscription"])
    assert all(30 < age < 60 for age in stats["average_age_by_subscription"].values())


async def test_replace_gives_the_same_table_and_append_adds(stack: Stack) -> None:
    async with seeder(stack) as client:
        await seed(client, count=500, seed=42)
        first = await users(client)
        await seed(client, count=500, seed=42)
        assert await users(client) == first
        assert [user["user_id"] for user in first] == list(range(1, 501))
        await seed(client, count=100, seed=7, mode="append")
        both = await users(client)
        assert both[:500] == first
        assert len(both) == 600
        assert both[500]["user_id"] > 500
        incomplete = await users(client, complete="false")
        assert {u["user_id"] for u in incomplete} == {u["user_id"] for u in both if None in u.values()}
        gold = await users(client, subscription="Gold")
        assert gold == [u for u in both if u["subscription"] == "Gold"]


async def test_a_cancelled_job_leaves_the_table_as_it_was(stack: Stack) -> None:
    async with seeder(stack) as client:
        await seed(client, count=300, seed=1)
        before = await users(client)
        started = (await client.post("/seeder/seed", json={"count": 1_000_000})).json()["job"]
        await eventually(lambda: under_way(client, started["id"]), "the first rows")
        cancelled = (await client.delete(f"/seeder/jobs/{started['id']}")).json()["job"]

        assert cancelled["state"] == "cancelled"
        assert 0 < cancelled["done"] < 1_000_000
        assert await users(client) == before
        await seed(client, count=10, seed=2)
        assert len(await users(client)) == 10


async def test_mutations_keep_the_table_changing(stack: Stack) -> None:
    async with seeder(stack) as client:
        await seed(client, count=400, seed=1)
        body = {"updates_per_s": 100, "deletes_per_s": 20, "inserts_per_s": 40, "duration_s": 1, "seed": 3}
        job = (await client.post("/seeder/mutations", json=body)).json()["job"]

        async def over() -> bool:
            return bool((await client.get(f"/seeder/jobs/{job['id']}")).json()["job"]["state"] != "running")

        await eventually(over, "the end of the mutations")
        status = (await client.get("/seeder/status")).json()

        mutations = status["mutations"]
        assert (mutations["updates"], mutations["deletes"], mutations["inserts"]) == (100, 20, 40)
        assert status["users"] == 420


async def test_a_change_reaches_the_topic(stack: Stack) -> None:
    async def records() -> int:
        return sum((await end_offsets(stack.kafka_bootstrap, [USERS])).values())

    before = await records()
    async with httpx.AsyncClient(base_url=stack.url("seeder"), timeout=STEP_S) as client:
        body = {"updates_per_s": 20, "duration_s": 1}
        assert (await client.post("/seeder/mutations", json=body)).status_code == 202

        async def arrived() -> bool:
            return await records() >= before + 20

        await eventually(arrived, "twenty changes in the topic", every_s=0.2)


async def test_texts_are_distinguished_as_in_the_pipeline(stack: Stack) -> None:
    """The collation of the database ignores case, and blanks at the end; the pipeline does not."""
    names = ("thailand", "Thailand", "Thailand ", "thaïland")
    async with seeder(stack) as client:
        await seed(client, count=1, seed=1)
        connection = await connect(settings(stack))
        async with connection.cursor() as cursor:
            rows = [(30, "Female", name, name) for name in names for _ in range(len(name))]
            insert = f"INSERT INTO {TABLE} (age, gender, country, subscription) VALUES (%s, %s, %s, %s)"
            await cursor.executemany(insert, rows)
        await connection.commit()
        connection.close()
        stats = (await client.get("/seeder/stats")).json()
        for name in names:
            assert stats["by_country"][name] == stats["by_subscription"][name] >= len(name)
            found = await users(client, country=name)
            assert {user["country"] for user in found} == {name}
            assert len(found) == stats["by_country"][name]
            assert len(await users(client, subscription=name)) == stats["by_subscription"][name]
