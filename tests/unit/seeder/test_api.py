"""The seeder over HTTP, with a table in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from asgi_lifespan import LifespanManager

from services.seeder.app import create_app
from services.seeder.settings import Settings
from tests.patience import STEP_S, eventually
from tests.unit.seeder.fakes import MemoryStore


@asynccontextmanager
async def seeder(store: MemoryStore, **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(Settings(**settings), store)
    async with (
        LifespanManager(app, startup_timeout=STEP_S, shutdown_timeout=STEP_S),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client,
    ):
        yield client


def app_of(client: httpx.AsyncClient) -> Any:
    transport = client._transport
    assert isinstance(transport, httpx.ASGITransport)
    return transport.app


async def seed(client: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    answer = await client.post("/seeder/seed", params={"wait": True}, json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["job"])


async def test_seeding_is_a_job_with_an_address() -> None:
    async with seeder(MemoryStore()) as client:
        answer = await client.post("/seeder/seed", json={"count": 1000, "seed": 42, "null_fraction": 0.05})
        assert answer.status_code == 202
        assert answer.headers["Location"] == f"/seeder/jobs/{answer.json()['job']['id']}"

        async def ended() -> dict[str, Any] | None:
            job: dict[str, Any] = (await client.get(answer.headers["Location"])).json()["job"]
            return None if job["state"] == "running" else job

        job = await eventually(ended, "the end of the job")
        assert job is not None
        assert (job["state"], job["done"], job["total"]) == ("done", 1000, 1000)
        status = (await client.get("/seeder/status")).json()

    assert status["users"] == 1000
    assert 20 < status["with_nulls"] < 80
    assert status["job"]["state"] == "done"


async def test_the_same_seed_replaces_by_the_same_table_and_append_adds() -> None:
    store = MemoryStore()
    async with seeder(store, seed_chunk=70) as client:
        await seed(client, count=300, seed=7)
        first = dict(store.rows)
        await seed(client, count=300, seed=7)
        assert store.rows == first
        assert list(store.rows) == list(range(1, 301))
        await seed(client, count=50, seed=8, mode="append")
        assert len(store.rows) == 350
        await seed(client, count=10, seed=7)
        assert len(store.rows) == 10


async def test_a_cancelled_seed_leaves_the_table_as_it_was() -> None:
    store = MemoryStore()
    async with seeder(store, seed_chunk=10) as client:
        await seed(client, count=20, seed=1)
        before = dict(store.rows)
        store.gate.clear()
        job = (await client.post("/seeder/seed", json={"count": 100_000})).json()["job"]
        conflict = await client.post("/seeder/seed", json={"count": 5})
        cancelling = asyncio.create_task(client.delete(f"/seeder/jobs/{job['id']}"))
        running = app_of(client).state.seeder.jobs.get(job["id"])
        await eventually(running._cancel.is_set, "the cancel has arrived")
        store.gate.set()
        cancelled = (await cancelling).json()["job"]

    assert conflict.status_code == 409
    assert conflict.json()["job_id"] == job["id"]
    assert cancelled["state"] == "cancelled"
    assert store.rows == before


async def test_pages_follow_one_another_without_gaps() -> None:
    store = MemoryStore()
    async with seeder(store) as client:
        await seed(client, count=25, seed=1, null_fraction=0)
        seen: list[int] = []
        after: int | None = 0
        while after is not None:
            page = (await client.get("/seeder/users", params={"limit": 10, "after": after})).json()
            assert page["total"] == 25
            seen += [user["user_id"] for user in page["users"]]
            after = page["next"]

    assert seen == list(range(1, 26))


async def test_users_can_be_filtered() -> None:
    store = MemoryStore()
    async with seeder(store) as client:
        await seed(client, count=500, seed=1, null_fraction=0.3)
        gold = (await client.get("/seeder/users", params={"subscription": "Gold", "limit": 1000})).json()
        gaps = (await client.get("/seeder/users", params={"complete": False, "limit": 1000})).json()

    assert gold["total"] == len(gold["users"]) > 0
    assert {user["subscription"] for user in gold["users"]} == {"Gold"}
    assert all(None in user.values() for user in gaps["users"])


async def test_statistics_count_every_column() -> None:
    async with seeder(MemoryStore()) as client:
        await seed(client, count=400, seed=1, null_fraction=0.2)
        stats = (await client.get("/seeder/stats")).json()

    assert stats["users"] == 400
    assert sum(stats["by_gender"].values()) + stats["nulls"]["gender"] == 400
    assert sum(stats["by_country"].values()) + stats["nulls"]["country"] == 400
    tiers = stats["average_age_by_subscription"]
    assert set(tiers) == set(stats["by_subscription"])
    assert all(18 <= age <= 80 for age in tiers.values())
    assert 18 <= stats["age"]["min"] < stats["age"]["mean"] < stats["age"]["max"] <= 80


async def test_one_user_is_deleted_once() -> None:
    store = MemoryStore()
    async with seeder(store) as client:
        await seed(client, count=3)
        answers = [(await client.delete("/seeder/users/2")).json()["deleted"] for _ in range(2)]
        assert (await client.delete("/seeder/users/0")).status_code == 422

    assert answers == [True, False]
    assert sorted(store.rows) == [1, 3]


async def test_everyone_can_be_deleted() -> None:
    store = MemoryStore()
    async with seeder(store) as client:
        await seed(client, count=120)
        deleted = (await client.delete("/seeder/users")).json()

    assert deleted["deleted"] == 120
    assert store.rows == {}


async def test_mutations_run_until_stopped() -> None:
    store = MemoryStore()
    async with seeder(store) as client:
        await seed(client, count=100)
        assert (await client.delete("/seeder/mutations")).status_code == 404
        started = await client.post("/seeder/mutations", json={"updates_per_s": 200})
        assert started.status_code == 202
        assert (await client.post("/seeder/seed", json={})).status_code == 409

        async def changed() -> bool:
            return (await client.get("/seeder/status")).json()["mutations"]["updates"] > 0  # type: ignore[no-any-return]

        await eventually(changed, "users that change")
        stopped = await client.delete("/seeder/mutations")
        status = (await client.get("/seeder/status")).json()
        metrics = (await client.get("/metrics")).text

    assert stopped.json()["job"]["state"] == "cancelled"
    assert status["mutations"]["running"] is False
    assert status["mutations"]["updates"] > 0
    assert "pagepulse_seeder_mutation_rows" in metrics


async def test_an_absent_database_is_a_problem_and_not_ready() -> None:
    store = MemoryStore()
    store.unavailable = True
    async with seeder(store) as client:
        status = await client.get("/seeder/status")
        waited = await client.post("/seeder/seed", params={"wait": True}, json={})
        ready = await client.get("/readyz")
        healthy = await client.get("/healthz")

    assert (status.status_code, status.json()["service"]) == (503, "mysql")
    assert waited.status_code == 503
    assert (ready.status_code, ready.json()["ready"]) == (503, False)
    assert healthy.status_code == 200


@pytest.mark.parametrize(
    "body", [{"count": 0}, {"count": 2_000_000}, {"null_fraction": 1.5}, {"seed": -1}, {"mode": "upsert"}, {"size": 3}]
)
async def test_what_makes_no_sense_is_refused(body: dict[str, object]) -> None:
    async with seeder(MemoryStore()) as client:
        answer = await client.post("/seeder/seed", json=body)

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_token_guards_the_service_but_not_its_health() -> None:
    async with seeder(MemoryStore(), api_token="secret") as client:
        assert (await client.get("/seeder/status")).status_code == 401
        assert (await client.get("/healthz")).status_code == 200
        allowed = await client.get("/seeder/status", headers={"Authorization": "Bearer secret"})

    assert allowed.status_code == 200
